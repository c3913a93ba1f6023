"""The names and the ownership of a target's models on AI Platform.

A model's labels cannot be changed (ml v1, `models.patch`: its description and its default version
alone). So a model that an earlier version made belongs to the owner in its versions' labels, or
else to the bucket of their files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudserve.errors import UserError
from cloudserve.release.owner import Owner

from ...ownership import MODEL, Ownership, Resource
from ..labels import bucket_label
from .records import is_own, short_name

if TYPE_CHECKING:
    from .api import MlClient

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """The names and labels of one target."""

    own: Ownership

    def model(self, model: str) -> str:
        """Return the platform's name of a model; raises UserError for an invalid name."""
        name = self.own.endpoint(model)
        if not NAME.fullmatch(name):
            raise UserError(
                f"`{name}` is not a model's name on AI Platform",
                where=f"{model} on {self.own.target}",
                hint="set `endpoint_name`: at most 128 letters, digits and _, a letter first",
            )
        return name

    def labels(self, model: str) -> dict[str, str]:
        """Return cloudserve's labels of a model's resources."""
        return self.own.tags(model)

    def check(self, ml: MlClient, model: str) -> Record | None:
        """Read the platform's model, or None; raises ConflictError for one of another owner."""
        name = self.model(model)
        record = ml.get_model(name)
        if record is not None:
            self.own.claims(model, self._resource(ml, name, record))
            return record
        former = self.own.former(model)
        before = ml.get_model(former) if former else None
        if before is not None:
            self.own.check_former(model, self._resource(ml, former, before))
        labelled = ml.labelled_models(MODEL, self.own.tags(model)[MODEL])
        self.own.check_beside(
            model, (self._resource(ml, short_name(record), record) for record in labelled)
        )
        return None

    def _resource(self, ml: MlClient, name: str, record: Record) -> Resource:
        labels = dict(record.get("labels", {}))
        versions = [v for v in _versions(ml, name, labels) if is_own(v)]
        for version in versions:
            labels |= _owner_tags(version)
        return Resource(
            f"the model {name}",
            ml.url(name),
            labels,
            lambda: {bucket_label(str(v.get("deploymentUri", ""))) for v in versions},
            lambda tags: (
                f"gcloud ai-platform models update {name} --update-labels="
                + ",".join(f"{key}={value}" for key, value in tags.items())
            ),
            is_endpoint=True,
            name=name,
        )


def _versions(ml: MlClient, name: str, labels: Mapping[str, str]) -> list[Record]:
    """Return the versions of a model whose own labels tell no owner."""
    return [] if Owner.read(labels) else list(ml.list_versions(name))


def _owner_tags(version: Record) -> dict[str, str]:
    owner = Owner.read(version.get("labels", {}))
    return owner.tags if owner else {}
