"""The plans that add a target's labels to existing resources.

Vertex AI has no place that lists which labels a target has written, so a label that is removed
from the project file stays on the resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudserve.release.types import Action

from ....actions import planned
from ..actions.steps import SetLabels
from ..records import Version
from ..snapshot import Snapshot


def label_changes(
    labels: Mapping[str, str], model: str, snapshot: Snapshot, version: Version | None
) -> Iterator[Action]:
    """Yield the changes of the endpoint's labels and of those of its versions and of `version`."""
    endpoint = snapshot.endpoint
    if endpoint is None:
        return
    if missing := _missing(labels, endpoint.labels):
        yield _action(SetLabels(model, missing), f"the endpoint {snapshot.endpoint_id}")
    for existing in snapshot.versions:
        is_on = bool(endpoint.placements(existing.revision.id))
        missing = _missing(labels, existing.record.get("labels", {}))
        if missing and (is_on or existing == version):
            what = f"the version {existing.number} of the model {snapshot.model_id}"
            yield _action(SetLabels(model, missing, existing.number), what)


def _missing(labels: Mapping[str, str], existing: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if existing.get(key) != value}


def _action(step: SetLabels, what: str) -> Action:
    labels = ", ".join(f"{key}={value}" for key, value in step.labels.items())
    return planned(step, f"label {what}: {labels}", name=f"set-labels-{step.version or 'endpoint'}")
