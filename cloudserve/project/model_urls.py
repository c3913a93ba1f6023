"""The URLs that a model's `path` may be: a folder of a bucket, a version of MLflow's registry."""

from __future__ import annotations

import re

from cloudserve.errors import ProjectError

_BUCKET = re.compile(r"(s3|gs)://[^/]+/.+|file:///.+")
_REGISTRY = re.compile(r"models:/[^/].*|runs:/[^/]+/.+")
"""MLflow documentation, "Referencing Artifacts": a registered model, the artifacts of a run."""


def is_url(text: str) -> bool:
    """Return whether a path is meant as a URL."""
    return "://" in text or text.startswith(("models:/", "runs:/"))


def is_registered(url: str) -> bool:
    """Return whether a URL names a version of a registry, or the files of a run."""
    return _REGISTRY.fullmatch(url) is not None


def check_url(url: str, where: str) -> str:
    """Return a URL; raises ProjectError for one that names neither."""
    if not (_BUCKET.fullmatch(url) or is_registered(url)):
        raise ProjectError(
            f"`{url}` is neither a directory nor a folder of a bucket",
            where=where,
            hint="write s3://BUCKET/FOLDER or gs://BUCKET/FOLDER; for MLflow models:/NAME/VERSION, "
            "models:/NAME@ALIAS or runs:/ID/PATH",
        )
    return url
