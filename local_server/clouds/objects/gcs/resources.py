"""Buckets and objects in GCS's JSON (storage.v1 discovery document)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from ..http_util import iso_time
from ..store.types import BucketInfo, ObjectInfo, State
from .fields import BUCKET_SETTINGS
from .request import HEADERS, STORAGE_CLASS


def etag_of(info: ObjectInfo) -> str:
    """Return an opaque ETag that changes with content and metadata."""
    return base64.b64encode(f"{info.generation}/{info.metageneration}".encode()).decode()


def bucket_resource(bucket: BucketInfo, base: str) -> dict[str, Any]:
    """Return a bucket's resource."""
    created = iso_time(bucket.created)
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{base}/storage/v1/b/{quote(bucket.name)}",
        "name": bucket.name,
        "projectNumber": "0",
        "generation": str(int(bucket.created * 1_000_000)),
        "metageneration": str(bucket.metageneration),
        "location": bucket.region or "US",
        "locationType": "region" if "-" in bucket.region else "multi-region",
        "storageClass": STORAGE_CLASS,
        "etag": base64.b64encode(str(bucket.metageneration).encode()).decode(),
        "timeCreated": created,
        "updated": iso_time(bucket.updated),
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
        **{name: value for name, value in bucket.settings.items() if name in BUCKET_SETTINGS},
    }


def object_resource(info: ObjectInfo, base: str) -> dict[str, Any]:
    """Return an object's resource; a composite object has no MD5."""
    path = f"b/{quote(info.bucket)}/o/{quote(info.key, safe='')}"
    properties = info.properties
    resource: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{info.bucket}/{info.key}/{info.generation}",
        "selfLink": f"{base}/storage/v1/{path}",
        "mediaLink": f"{base}/download/storage/v1/{path}?generation={info.generation}&alt=media",
        "name": info.key,
        "bucket": info.bucket,
        "generation": str(info.generation),
        "metageneration": str(info.metageneration),
        "contentType": properties.content_type,
        "storageClass": properties.storage_class,
        "size": str(info.size),
        "crc32c": info.crc32c_base64,
        "etag": etag_of(info),
        "timeCreated": iso_time(info.created),
        "updated": iso_time(info.updated),
        "timeStorageClassUpdated": iso_time(info.created),
    }
    if properties.components:
        resource["componentCount"] = properties.components
    elif info.md5:
        resource["md5Hash"] = info.md5_base64
    resource |= {
        name: properties.headers[header]
        for name, header in HEADERS.items()
        if header in properties.headers
    }
    if properties.custom_time:
        resource["customTime"] = properties.custom_time
    resource |= dict.fromkeys(properties.holds, True)
    resource |= _end(info)
    if properties.retain_until:
        resource["retentionExpirationTime"] = iso_time(properties.retain_until)
    if properties.customer_key:
        key = {"encryptionAlgorithm": "AES256", "keySha256": properties.customer_key}
        resource["customerEncryption"] = key
    if properties.metadata:
        resource["metadata"] = dict(properties.metadata)
    return resource


def _end(info: ObjectInfo) -> dict[str, str]:
    """Return the times of a version that is not live."""
    if info.state is State.SOFT_DELETED:
        return {"softDeleteTime": iso_time(info.ended), "hardDeleteTime": iso_time(info.until)}
    return {"timeDeleted": iso_time(info.ended)} if info.state is State.NONCURRENT else {}
