"""The permissions that Cloud Storage's methods need, and its words for a refusal.

Source: Cloud Storage documentation, "IAM permissions for JSON methods" and "IAM permissions for XML
methods"; the text of data-integrations/google-cloud#1503. Not checked: `storage.objects.delete` for
an object that an upload replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qs

import msgspec

from .....transport.types import Head, Response
from ..errors import JSON, GcsError
from ..request import GcsCall, is_of_cloud

Denies = Callable[[str], bool]
"""Returns whether the caller does not have a permission."""
_CREATE, _GET = "storage.objects.create", "storage.objects.get"
JSON_METHODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "buckets.delete": ("storage.buckets.delete",),
        "buckets.get": ("storage.buckets.get",),
        "buckets.insert": ("storage.buckets.create",),
        "buckets.list": ("storage.buckets.list",),
        "buckets.patch": ("storage.buckets.get", "storage.buckets.update"),
        "buckets.update": ("storage.buckets.get", "storage.buckets.update"),
        "objects.compose": (_GET, _CREATE),
        "objects.copy": (_GET, _CREATE),
        "objects.delete": ("storage.objects.delete",),
        "objects.get": (_GET,),
        "objects.insert": (_CREATE,),
        "objects.list": ("storage.objects.list",),
        "objects.move": ("storage.objects.move", _CREATE),
        "objects.restore": ("storage.objects.restore", _CREATE),
        "buckets.getIamPolicy": ("storage.buckets.getIamPolicy",),
        "buckets.setIamPolicy": ("storage.buckets.setIamPolicy",),
        "buckets.getStorageLayout": ("storage.objects.list",),
        "objects.patch": (_GET, "storage.objects.update"),
        "objects.rewrite": (_GET, _CREATE),
        "objects.update": (_GET, "storage.objects.update"),
    }
)
"""The permissions of each method; the methods that have none are not checked."""
_UPLOADS = "storage.multipartUploads."
XML_REQUESTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DELETE": (f"{_UPLOADS}abort",),
        "GET": (f"{_UPLOADS}listParts",),
        "POST": (f"{_UPLOADS}create", _CREATE),
        "PUT": (f"{_UPLOADS}create", _CREATE),
    }
)
"""The permissions of a request about a multipart upload, by its HTTP method."""
OF_OBJECT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DELETE": ("storage.objects.delete",),
        "GET": (_GET,),
        "HEAD": (_GET,),
        "POST": (_CREATE,),
        "PUT": (_CREATE,),
    }
)
OF_BUCKET: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DELETE": ("storage.buckets.delete",),
        "GET": ("storage.objects.list",),
        "HEAD": ("storage.buckets.get",),
        "PUT": ("storage.buckets.create",),
    }
)
_LIST = f"{_UPLOADS}list"
PERMISSIONS = frozenset(
    name for names in (*JSON_METHODS.values(), *XML_REQUESTS.values(), (_LIST,)) for name in names
)
_NOUNS = {"buckets": "bucket", "objects": "object", "multipartUploads": "object"}
_OF_PROJECTS = ("storage.buckets.create", "storage.buckets.list")


class DeniedError(GcsError):
    """The caller lacks a permission."""

    def __init__(self, account: str, permission: str) -> None:
        noun = f"Cloud Storage {_NOUNS[permission.split('.')[1]]}"
        where = "Cloud project" if permission in _OF_PROJECTS else noun
        super().__init__(
            403,
            "forbidden",
            f"{account} does not have {permission} access to the Google {where}. Permission"
            f" '{permission}' denied on resource (or it may not exist).",
        )


def check_somebody(head: Head, method: str) -> None:
    """Raise GcsError for nobody's call under Google's host: no bucket is public offline.

    The URL of a resumable upload is a permission. Source: fsspec/gcsfs#546.
    """
    if not is_of_cloud(head) or "authorization" in head.headers or "upload_id=" in head.query:
        return
    permission = next(iter(JSON_METHODS.get(method, ())), "storage.buckets.get")
    what = "bucket" if permission.startswith("storage.buckets.") else "object"
    if method in {"buckets.insert", "buckets.list"}:
        what = "project"
    raise GcsError(
        401,
        "required",
        f"Anonymous caller does not have {permission} access to the Google Cloud"
        f"{'' if what == 'project' else ' Storage'} {what}. Permission '{permission}' denied on"
        " resource (or it may not exist).",
    )


def check_method(account: str, denies: Denies, method: str) -> None:
    """Raise DeniedError if the caller may not call a method of the JSON API."""
    for permission in JSON_METHODS.get(method, ()):
        if denies(permission):
            raise DeniedError(account, permission)


def check_xml(account: str, denies: Denies, head: Head, query: Mapping[str, str]) -> None:
    """Raise DeniedError if the caller may not make a request of the XML API."""
    for permission in _xml_needs(head, query):
        if denies(permission):
            raise DeniedError(account, permission)


def _xml_needs(head: Head, query: Mapping[str, str]) -> tuple[str, ...]:
    if head.method == "GET" and "uploads" in query:
        return (_LIST,)
    if query.keys() & {"uploads", "uploadId"}:
        return XML_REQUESTS.get(head.method, ())
    key = head.path.strip("/").partition("/")[2]
    return (OF_OBJECT if key else OF_BUCKET).get(head.method, ())


def test_permissions(call: GcsCall, denies: Denies) -> Response:
    """buckets.testIamPermissions: those of the named permissions that the caller has."""
    call.store.get_bucket(call.bucket)
    asked = parse_qs(call.head.query).get("permissions", [])
    granted = [name for name in asked if not denies(name)]
    answer: dict[str, object] = {"kind": "storage#testIamPermissionsResponse"}
    if granted:
        answer["permissions"] = granted
    return Response(200, msgspec.json.encode(answer), JSON)
