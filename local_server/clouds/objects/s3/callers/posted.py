"""Presigned POST: a form that uploads an object, within a signed policy.

Source: Amazon S3 API Reference, "POST Object", "Browser-based uploads using POST". A form becomes a
PutObject with the fields as headers, so whatever PutObject refuses is refused here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, unquote, urlencode

from .....transport.types import ClientGoneError, Head, Request, Response
from ...addressing import bucket_in
from ...forms.decoder import Form, FormError
from ...forms.policy import Policy, PolicyError, check_policy
from ...xml import MalformedError, document, element, parse
from ..errors import XML, S3Error

CheckSignature = Callable[[Mapping[str, str]], None]
"""Raises S3Error unless a known key signed the policy in a form's fields."""

SIGNATURE = frozenset({
    "awsaccesskeyid", "policy", "signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
    "x-amz-security-token", "x-amz-signature",
})  # fmt: skip
EXEMPT = frozenset({"awsaccesskeyid", "bucket", "file", "policy", "signature", "x-amz-signature"})
"""Fields that no condition has to name."""
HEADERS = frozenset({
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5",
    "content-type", "expires",
})  # fmt: skip


def unchecked(_: Mapping[str, str]) -> None:
    """Accept any signature."""


def as_put(head: Head, form: Form, now: float, check: CheckSignature = unchecked) -> Request:
    """Return the PutObject that a form asks for, after its policy; raises S3Error."""
    bucket = bucket_in(head.headers.get("host", "")) or head.path.strip("/")
    fields = {**form.fields, "bucket": bucket}
    key = fields.get("key", "").replace("${filename}", form.filename.rpartition("\\")[2])
    if not key:
        message = (
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the"
            " order of the fields."
        )
        raise S3Error("InvalidArgument", message, ArgumentName="key")
    if "policy" not in fields:
        raise S3Error("AccessDenied", "Access Denied")
    check(fields)
    try:
        policy = check_policy(fields["policy"], {**fields, "key": key}, EXEMPT, now)
    except PolicyError as error:
        raise _refused(error) from error
    path = f"/{quote(bucket)}/{quote(key)}"
    headers = _headers(form, fields)
    # The length of the whole form, which is hardly longer than its file. S3 takes forms of unknown
    # length, but no PutObject (minio/minio#21518; older reports have a 411 for forms, too).
    headers["content-length"] = head.headers.get("content-length", "0")
    put = replace(head, method="PUT", path=path, query="", headers=headers)
    return Request(put, stream=_Limited(form.file, policy))


def _refused(error: PolicyError) -> S3Error:
    if error.malformed:
        return S3Error("InvalidPolicyDocument", f"Invalid Policy: {error.message}")
    return S3Error("AccessDenied", f"Invalid according to Policy: {error.message}")


def _headers(form: Form, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the PutObject; raises S3Error."""
    credential = fields.get("x-amz-credential") or fields.get("awsaccesskeyid", "")
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}",
        "content-type": form.content_type,
        **{name: value for name, value in fields.items() if _is_header(name)},
    }
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        headers["x-amz-tagging"] = _tagging(fields["tagging"])
    return {name: value for name, value in headers.items() if value}


def _is_header(name: str) -> bool:
    return name in HEADERS or (name.startswith("x-amz-") and name not in SIGNATURE)


def _tagging(text: str) -> str:
    """Return the XML of a form's tags as the header of a PutObject; raises S3Error."""
    try:
        tags = parse(text.encode(), "Tagging").findall("TagSet/Tag")
    except MalformedError as error:
        raise S3Error("MalformedXML", f"The field tagging is not well-formed: {error}") from error
    return urlencode([(each.findtext("Key", ""), each.findtext("Value", "")) for each in tags])


class _Limited:
    """The file of a form, within the size that its policy allows."""

    def __init__(self, pieces: AsyncIterator[bytes], policy: Policy) -> None:
        self._pieces = pieces
        self._policy = policy

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, largest, smallest = 0, self._policy.largest, self._policy.smallest
        try:
            async for piece in self._pieces:
                size += len(piece)
                if largest is not None and size > largest:
                    message = "Your proposed upload exceeds the maximum allowed size"
                    sizes = {"ProposedSize": str(size), "MaxSizeAllowed": str(largest)}
                    raise S3Error("EntityTooLarge", message, **sizes)
                yield piece
        except FormError as error:
            raise malformed(error) from error
        if smallest is not None and size < smallest:
            message = "Your proposed upload is smaller than the minimum allowed size"
            sizes = {"ProposedSize": str(size), "MinSizeAllowed": str(smallest)}
            raise S3Error("EntityTooSmall", message, **sizes)

    async def read(self, limit: int) -> bytes:
        """Return the whole file; raises ClientGoneError if it is larger than the limit."""
        content = b"".join([piece async for piece in self])
        if len(content) > limit:
            raise ClientGoneError
        return content


def malformed(error: FormError) -> S3Error:
    """Return the error for a body that is not a form with a file."""
    message = f"The body of your POST request is not well-formed multipart/form-data: {error}."
    return S3Error("MalformedPOSTRequest", message)


def answer(put: Response, head: Head, request: Request, form: Form) -> Response:
    """Return the answer to a form whose PutObject succeeded, as the form asks for it."""
    bucket, _, key = request.head.path.removeprefix("/").partition("/")
    etag = put.headers["etag"]
    location = f"http://{head.headers.get('host', '')}{request.head.path}"
    headers = {**put.headers, "location": location}
    redirect = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    if redirect.startswith(("http://", "https://")):
        joint = "&" if "?" in redirect else "?"
        query = f"bucket={bucket}&key={key}&etag={quote(etag)}"
        return replace(
            put, status=303, headers={**headers, "location": f"{redirect}{joint}{query}"}
        )
    status = form.fields.get("success_action_status", "")
    if status != "201":
        return replace(put, status=200 if status == "200" else 204, headers=headers)
    body = document(
        "PostResponse",
        element("Location", location),
        element("Bucket", bucket),
        element("Key", unquote(key)),
        element("ETag", etag),
        namespace=False,
    )
    return Response(201, body, XML, headers)
