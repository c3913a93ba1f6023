"""The offline object store and the two APIs over it, S3 and GCS.

`store` knows no protocol; `s3` and `gcs` translate. The offline clouds load their models with
`ObjectStore.checkout`. `is_s3` and `is_gcs` tell which API a request is for.
"""

from __future__ import annotations

from .gcs.app import GcsApp
from .routing import is_gcs, is_s3
from .s3.app import S3App
from .store.store import ObjectStore

__all__ = ["GcsApp", "ObjectStore", "S3App", "is_gcs", "is_s3"]
