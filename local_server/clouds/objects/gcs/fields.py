"""The fields, parameters and headers of Cloud Storage's methods; any other is refused by name.

The names are those of the storage v1 discovery document, which the tests compare with these tables.
Accepting a field that this store does not keep would be a false promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....transport.types import Head
from .errors import GcsError, invalid, not_implemented

BUCKET_SETTINGS = frozenset({
    "cors", "defaultEventBasedHold", "iamConfiguration", "labels", "lifecycle", "retentionPolicy",
    "softDeletePolicy", "storageClass", "versioning",
})  # fmt: skip
"""Fields that a bucket keeps and a client may change. Lifecycle rules are not executed, and CORS
is for browsers, whose requests of other sites are refused here."""
BUCKET_FIELDS = BUCKET_SETTINGS | {"location", "name"}
BUCKET_REFUSED = frozenset({
    "acl", "autoclass", "billing", "customPlacementConfig", "defaultObjectAcl", "encryption",
    "hierarchicalNamespace", "ipFilter", "logging", "objectRetention", "rpo", "website",
})  # fmt: skip
BUCKET_OUTPUT = frozenset({
    "etag", "generation", "hardDeleteTime", "id", "kind", "locationType", "metageneration", "owner",
    "projectNumber", "satisfiesPZI", "satisfiesPZS", "selfLink", "softDeleteTime", "timeCreated",
    "updated",
})  # fmt: skip
"""Set by the service; clients send them back when they replace a resource."""

OBJECT_FIELDS = frozenset({
    "bucket", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage",
    "contentType", "crc32c", "customTime", "eventBasedHold", "md5Hash", "metadata", "name",
    "storageClass", "temporaryHold",
})  # fmt: skip
OBJECT_REFUSED = frozenset({
    "acl", "contexts", "kmsKeyName", "restoreToken", "retention",
})  # fmt: skip
OBJECT_OUTPUT = frozenset({
    "componentCount", "customerEncryption", "etag", "generation", "hardDeleteTime", "id", "kind",
    "mediaLink", "metageneration", "owner", "retentionExpirationTime", "selfLink", "size",
    "softDeleteTime", "timeCreated", "timeDeleted", "timeFinalized", "timeStorageClassUpdated",
    "updated",
})  # fmt: skip
COMPOSE_FIELDS = frozenset({"destination", "sourceObjects"})
COMPOSE_REFUSED = frozenset({"deleteSourceObjects"})

STORAGE_CLASSES = frozenset({
    "ARCHIVE", "COLDLINE", "DURABLE_REDUCED_AVAILABILITY", "MULTI_REGIONAL", "NEARLINE", "REGIONAL",
    "STANDARD",
})  # fmt: skip
"""Storage classes whose objects can be read immediately."""

QUERY_REFUSED: Mapping[str, frozenset[str]] = {
    "buckets.list": frozenset({"returnPartialSuccess", "softDeleted"}),
    "buckets.insert": frozenset({"enableObjectRetention"}),
    "buckets.get": frozenset({"generation", "softDeleted"}),
    "buckets.patch": frozenset({"predefinedAcl", "predefinedDefaultObjectAcl"}),
    "buckets.update": frozenset({"predefinedAcl", "predefinedDefaultObjectAcl"}),
    "objects.list": frozenset({"filter", "includeFoldersAsPrefixes"}),
    "objects.get": frozenset({"restoreToken"}),
    "objects.restore": frozenset({"copySourceAcl", "restoreToken"}),
    "objects.insert": frozenset({"kmsKeyName", "predefinedAcl"}),
    "objects.patch": frozenset({"overrideUnlockedRetention", "predefinedAcl"}),
    "objects.update": frozenset({"overrideUnlockedRetention", "predefinedAcl"}),
    "objects.compose": frozenset({"destinationPredefinedAcl", "dropContextGroups", "kmsKeyName"}),
    "objects.rewrite": frozenset({
        "destinationKmsKeyName", "destinationPredefinedAcl", "dropContextGroups",
        "maxBytesRewrittenPerCall", "rewriteToken",
    }),
    "objects.copy": frozenset({"destinationKmsKeyName", "destinationPredefinedAcl"}),
}  # fmt: skip
"""By method, the unsupported parameters; all others in the document are supported."""

_WITHIN_PROJECT: Mapping[str, frozenset[str]] = {
    "predefinedAcl": frozenset({"private", "projectPrivate"}),
    "predefinedDefaultObjectAcl": frozenset({
        "bucketOwnerFullControl", "bucketOwnerRead", "private", "projectPrivate",
    }),
}  # fmt: skip
"""By parameter of a new bucket, the ACLs that let no other project in; gcsfs always sends some."""

HEADERS = frozenset({
    "x-goog-api-client", "x-goog-api-key", "x-goog-content-sha256", "x-goog-date",
    "x-goog-gcs-idempotency-token", "x-goog-hash", "x-goog-request-params",
    "x-goog-request-reason", "x-goog-storage-class", "x-goog-user-project",
})  # fmt: skip
"""Headers that are supported or change nothing; others are refused."""
META = "x-goog-meta-"
KEYED = frozenset({
    "objects.compose", "objects.copy", "objects.get", "objects.insert", "objects.rewrite",
})  # fmt: skip
"""The methods that take a customer's key."""
KEYS = ("x-goog-encryption-", "x-goog-copy-source-encryption-")


XML_HEADERS = frozenset({
    "x-goog-acl", "x-goog-api-version", "x-goog-copy-source", "x-goog-copy-source-generation",
    "x-goog-copy-source-if-generation-match", "x-goog-copy-source-if-metageneration-match",
    "x-goog-custom-time", "x-goog-if-generation-match", "x-goog-if-metageneration-match",
    "x-goog-metadata-directive", "x-goog-project-id", "x-goog-resumable",
})  # fmt: skip
"""Headers of the XML API's operations."""
XML_METHOD = "xml"


def check_head(head: Head, query: Mapping[str, str], method: str = "") -> None:
    """Refuse a header or parameter that the method does not support; raises GcsError."""
    for name in head.headers:
        known = name in HEADERS or name.startswith(META)
        known = known or (method == XML_METHOD and name in XML_HEADERS)
        keyed = method in {*KEYED, XML_METHOD} and name.startswith(KEYS)
        if name.startswith("x-goog-") and not known and not keyed:
            raise not_implemented(f"the header {name}")
    for name in QUERY_REFUSED.get(method, frozenset()) & query.keys():
        if query[name].lower() not in {"", "false"}:
            raise not_implemented(f"the parameter {name}")


def check_acls(query: Mapping[str, str], *, uniform: bool) -> None:
    """Refuse ACLs of a new bucket that grant access beyond its project; raises GcsError.

    `uniform` is whether the bucket has uniform access: then the service refuses every ACL.
    Source: https://cloud.google.com/storage/docs/uniform-bucket-level-access.
    """
    for name, harmless in _WITHIN_PROJECT.items():
        acl = query.get(name)
        if acl and uniform:
            raise invalid(f"Cannot use {name} when uniform bucket-level access is enabled.")
        if acl and acl not in harmless:
            raise not_implemented(f"{name}={acl}")


def check_bucket(resource: Mapping[str, Any]) -> None:
    """Refuse unsupported fields of a bucket; raises GcsError."""
    _check(resource, BUCKET_FIELDS | BUCKET_OUTPUT, BUCKET_REFUSED)


def check_object(resource: Mapping[str, Any]) -> None:
    """Refuse unsupported fields of an object; raises GcsError."""
    _check(resource, OBJECT_FIELDS | OBJECT_OUTPUT, OBJECT_REFUSED)


def check_compose(request: Mapping[str, Any]) -> None:
    """Refuse unsupported fields of a composition; raises GcsError."""
    _check(request, COMPOSE_FIELDS | {"kind"}, COMPOSE_REFUSED)


def check_class(name: Any) -> str:
    """Return the name of a known storage class; raises GcsError."""
    if not isinstance(name, str) or name not in STORAGE_CLASSES:
        raise invalid(f"Invalid argument: storageClass {name!r:.100}")
    return name


def _check(resource: Mapping[str, Any], known: frozenset[str], refused: frozenset[str]) -> None:
    for name, value in resource.items():
        if name in refused and not _is_unset(value):
            raise not_implemented(f"the field {name}")
        if name not in known and name not in refused:
            raise GcsError(400, "invalid", f"Unknown name {name[:100]!r}: Cannot find field.")


def _is_unset(value: Any) -> bool:
    """Return whether a field only repeats the default: `versioning: {enabled: false}`."""
    if isinstance(value, Mapping):
        return all(_is_unset(each) for each in value.values())
    return not value or value == "0"
