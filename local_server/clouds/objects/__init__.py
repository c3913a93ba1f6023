"""The offline object store and its two faces, S3 and GCS.

`store` and what it stands on (`blobs`, `database`, `rows`, `listing`, `uploads`, `sessions`,
`checkout`) know no protocol; `s3*` and `gcs*` translate. The offline clouds load their models with
`ObjectStore.checkout`; the composition root asks `is_s3` and `is_gcs` which face a request is for.
"""

from __future__ import annotations

from .gcs.app import GcsFace
from .routing import is_gcs, is_s3
from .s3.app import S3Face
from .store.store import ObjectStore

__all__ = ["GcsFace", "ObjectStore", "S3Face", "is_gcs", "is_s3"]
