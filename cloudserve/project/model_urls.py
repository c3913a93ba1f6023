"""The URLs that a model's `path` may be: a folder of a bucket, a version of a registry."""

from __future__ import annotations

import re

from cloudserve import registry
from cloudserve.errors import ProjectError

_BUCKET = re.compile(r"(s3|gs)://[^/]+/.+|file:///.+")
_REGISTRY = re.compile(r"models:/[^/].*|runs:/[^/]+/.+")
"""MLflow documentation, "Referencing Artifacts": a registered model, the artifacts of a run."""

_OWN = re.compile(r"(?P<scheme>(?!models:|runs:)[a-z][a-z0-9-]*):/[^/].*")


def is_url(text: str) -> bool:
    """Return whether a path is meant as a URL."""
    is_registry = text.startswith(("models:/", "runs:/")) or _OWN.fullmatch(text) is not None
    return "://" in text or is_registry


def is_registered(url: str) -> bool:
    """Return whether a URL names a version of a registry, or the files of a run."""
    return _REGISTRY.fullmatch(url) is not None or _is_of_adapter(url)


def _is_of_adapter(url: str) -> bool:
    """Return whether a package has a registry for a URL such as `ours:/NAME`, besides MLflow's."""
    match = _OWN.fullmatch(url)
    return match is not None and match["scheme"] in registry.names_of(registry.REGISTRIES)


def check_url(url: str, where: str) -> str:
    """Return a URL; raises ProjectError for one that names neither."""
    own = _OWN.fullmatch(url)
    if own is not None and not _is_of_adapter(url):
        raise ProjectError(
            f"no installed package has a registry for `{own['scheme']}:/…`",
            where=where,
            hint="install it beside cloudserve, or write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, "
            "models:/NAME/VERSION, or a path",
        )
    if not (_BUCKET.fullmatch(url) or is_registered(url)):
        raise ProjectError(
            f"`{url}` is neither a directory nor a folder of a bucket",
            where=where,
            hint="write s3://BUCKET/FOLDER or gs://BUCKET/FOLDER; for MLflow models:/NAME/VERSION, "
            "models:/NAME@ALIAS or runs:/ID/PATH",
        )
    return url
