"""models.patch: changes of a model, or of one of its versions.

Source: google-cloud-aiplatform, `UpdateModelRequest.model` ("model.name with the @ value … refers
to a version specific update", `MODEL` and `MODEL@-` "to a model update"; the fields of both, and
that a mismatch "will cause a precondition error"; labels "are merged when a model is returned"). An
update of a model's labels changes those of the default version, too
(googleapis/python-aiplatform#3049). That a version's label takes precedence over the model's is our
reading; the texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..google.common.discovery import snake
from ..google.common.etag import check_any_etag
from ..resources import Document
from .records import DEFAULT_ALIAS, MODEL, Records, Version, failed_precondition
from .validation import apply_mask, check_display_name, check_labels, mask_paths

_OF_MODELS = frozenset({"displayName", "description"})
_OF_VERSIONS = frozenset({"versionDescription"})
_OF_BOTH = frozenset({"labels"})
_WHOLE = "-"
"""In place of a version: all of the model."""


class ModelUpdates:
    """The method `models.patch`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def patch(self, name: str, body: Document, mask: str | None) -> None:
        """Change the masked fields of a model, or of a version; raises ApiError."""
        model, _, label = name.partition("@")
        is_version = label not in {"", _WHOLE}
        version = self._records.version(name if is_version else model)
        # Model.update of google-cloud-aiplatform sends the ETag of the version that it has read.
        shown = [version] if is_version else self._records.versions(model)
        check_any_etag((each.stored() for each in shown), body.get("etag"))
        _check_scope(name, mask_paths(mask), is_version=is_version)
        allowed = _OF_BOTH | (_OF_VERSIONS if is_version else _OF_MODELS)
        changed = apply_mask(version.document, body, mask, allowed)
        check_display_name(changed, "model")
        check_labels(changed)
        with self._records.resources.transaction():
            if is_version:
                self._records.put_changed(version.having(changed))
            else:
                self._update_model(model, changed, mask_paths(mask))

    def _update_model(self, model: str, changed: Document, paths: list[str]) -> None:
        """Write a model's fields to all its versions, and its labels to the default version."""
        fields = {*_OF_MODELS, *_OF_BOTH} if paths == ["*"] else {*paths}
        if "labels" in fields:
            labels = {"labels": changed.get("labels", {})}
            self._records.resources.put(MODEL, model, self._records.model(model) | labels)
        for version in self._records.versions(model):
            own = fields if DEFAULT_ALIAS in version.aliases else fields - _OF_BOTH
            self._records.put_version(version.having(self._with(version, changed, own)))

    def _with(self, version: Version, changed: Mapping[str, Any], fields: set[str]) -> Document:
        """Return a version's document with fields of another document, or without them."""
        kept = {key: value for key, value in version.document.items() if key not in fields}
        new = {key: changed[key] for key in fields if key in changed}
        return {**kept, **new, "updateTime": self._records.now()}


def _check_scope(name: str, paths: list[str], *, is_version: bool) -> None:
    """Refuse fields of models in an update of a version, and the reverse (ApiError)."""
    wrong = sorted({*paths} & (_OF_MODELS if is_version else _OF_VERSIONS))
    if wrong:
        field, other = snake(wrong[0]), "the model" if is_version else "a version"
        raise failed_precondition(
            f"The field `{field}` is one of {other}, and `{name}` names"
            f" {'a version' if is_version else 'the model'}: update them separately."
        )
