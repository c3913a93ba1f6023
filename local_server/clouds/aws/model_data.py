"""From a model's definition and the offline bucket to a model tree on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...container.archive import unpack
from ..objects.store import ObjectStore
from .sagemaker_models import is_folder, source_of

_BUCKET = "SAGEMAKER_MULTI_MODEL_UNIVERSAL_BUCKET"
_PREFIX = "SAGEMAKER_MULTI_MODEL_UNIVERSAL_PREFIX"


def lay_model(
    store: ObjectStore,
    definition: Mapping[str, Any],
    environment: Mapping[str, str],
    tree: Path,
) -> None:
    """Make the tree that a container starts with; blocks.

    A multi-model container starts without models. Raises ModelError, AwsError, and the object
    store's errors.
    """
    tree.mkdir()
    if definition.get("Mode") != "MultiModel":
        lay_data(store, definition, tree)
    if _BUCKET in environment and _PREFIX in environment and not (tree / "code").exists():
        store.checkout(environment[_BUCKET], environment[_PREFIX], tree / "code")


def lay_data(store: ObjectStore, definition: Mapping[str, Any], tree: Path) -> None:
    """Put a definition's model data into an empty folder."""
    source = source_of(definition)
    if is_folder(source):
        tree.rmdir()
        store.checkout(source.bucket, source.key, tree)
    else:
        unpack(store.path(store.get(source.bucket, source.key)), tree)
