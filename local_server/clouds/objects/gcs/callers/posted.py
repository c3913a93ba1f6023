"""POST policies: a form that uploads an object to Cloud Storage, within a signed policy.

Source: Cloud Storage, "Post object", "Policy document".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote

from .....transport.types import Head, Request, Response
from ...addressing import bucket_in
from ...forms.decoder import Form, FormError
from ...forms.policy import Policy, PolicyError, check_policy
from ...xml import document, element
from ..fields import META
from ..xml.errors import XML, XmlError
from .signed_urls import Verify, check_claim, policy_claim

SIGNATURE = frozenset({
    "googleaccessid", "policy", "signature", "x-goog-algorithm", "x-goog-credential", "x-goog-date",
    "x-goog-signature",
})  # fmt: skip
EXEMPT = frozenset({
    "bucket", "file", "googleaccessid", "policy", "signature", "x-goog-signature",
})  # fmt: skip
"""Fields that no condition has to name."""
HEADERS = frozenset({
    "cache-control", "content-disposition", "content-encoding", "content-type", "x-goog-acl",
    "x-goog-custom-time", "x-goog-storage-class",
})  # fmt: skip
INVALID = "The content of the form does not meet the conditions specified in the policy document."


def as_put(head: Head, form: Form, verify: Verify, now: float) -> Request:
    """Return the Put Object that a form asks for, after its policy; raises XmlError."""
    bucket = bucket_in(head.headers.get("host", "")) or head.path.strip("/")
    key = form.fields.get("key", "").replace("${filename}", form.filename)
    if not key:
        message = "Bucket POST must contain a field named 'key'."
        raise XmlError(400, "InvalidArgument", message)
    fields = {**form.fields, "bucket": bucket, "key": key}
    if "policy" not in fields:
        details = "Anonymous caller does not have storage.objects.create access to the bucket."
        raise XmlError(403, "AccessDenied", "Access denied.", details)
    check_claim(policy_claim(fields, now), verify, now)
    try:
        policy = check_policy(fields["policy"], fields, EXEMPT, now)
    except PolicyError as error:
        message = "Invalid policy document." if error.malformed else INVALID
        raise XmlError(400, "InvalidPolicyDocument", message, error.message) from error
    headers = {"content-type": form.content_type, "host": head.headers.get("host", "")}
    headers |= {
        name: value for name, value in fields.items() if name in HEADERS or name.startswith(META)
    }
    path = f"/{quote(bucket)}/{quote(key)}"
    put = replace(head, method="PUT", path=path, query="", headers=headers)
    return Request(put, stream=_Limited(form.file, policy))


class _Limited:
    """The file of a form, within the size that its policy allows."""

    def __init__(self, pieces: AsyncIterator[bytes], policy: Policy) -> None:
        self._pieces = pieces
        self._policy = policy

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, largest = 0, self._policy.largest
        try:
            async for piece in self._pieces:
                size += len(piece)
                if largest is not None and size > largest:
                    message = "Your proposed upload exceeds the maximum allowed object size."
                    raise XmlError(400, "EntityTooLarge", message, f"More than {largest} bytes")
                yield piece
        except FormError as error:
            message = "The body of the POST request is not well-formed multipart/form-data."
            raise XmlError(400, "MalformedPOSTRequest", message, str(error)) from error
        smallest = self._policy.smallest
        if smallest is not None and size < smallest:
            message = "Your proposed upload is smaller than the minimum allowed object size."
            raise XmlError(400, "EntityTooSmall", message, f"{size} of at least {smallest} bytes")

    async def read(self, limit: int) -> bytes:
        """Return the whole file, which is never larger than the limit of a streamed body."""
        return b"".join([piece async for piece in self])[:limit]


def answer(put: Response, head: Head, request: Request, form: Form) -> Response:
    """Return the answer to a form whose upload succeeded, as the form asks for it."""
    bucket, _, key = request.head.path.removeprefix("/").partition("/")
    etag = put.headers["etag"]
    redirect = form.fields.get("success_action_redirect", "")
    if redirect.startswith(("http://", "https://")):
        joint = "&" if "?" in redirect else "?"
        target = f"{redirect}{joint}bucket={bucket}&key={key}&etag={quote(etag)}"
        return replace(put, status=303, headers={**put.headers, "location": target})
    status = form.fields.get("success_action_status", "")
    if status != "201":
        return replace(put, status=200 if status == "200" else 204)
    body = document(
        "PostResponse",
        element("Location", f"http://{head.headers.get('host', '')}{request.head.path}"),
        element("Bucket", bucket),
        element("Key", form.fields["key"].replace("${filename}", form.filename)),
        element("ETag", etag),
        namespace=False,
    )
    return Response(201, body, XML, put.headers)
