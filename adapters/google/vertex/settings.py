"""What Vertex AI has of a model, compared with the target's fields.

What the target would create is read back by the same functions as what exists, so that every field
that `status` shows is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudserve.release.inspection.drift import NOTHING, Setting
from cloudserve.release.types import Reading

from ...extra_fields import digest_of
from ...settings import compare, compare_environment, compare_given
from .fields.extra import DEPLOYED, ENDPOINT, LABEL, MODEL
from .fields.images import container_fingerprint
from .fields.options import Options
from .fields.read_back import (
    environment_of,
    fields_of_deployed,
    fields_of_endpoint,
    fields_of_version,
)
from .planning.deployed_models import mark
from .planning.private_endpoint import network_fields
from .records import Endpoint, Placed, Version
from .snapshot import snapshot_of

LOGGING = "container_logging"
CONTAINER = {"args": "args", "ports": "port", "predictRoute": "predict_route"}
CONTAINER |= {"healthRoute": "health_route"}
"""Fields of a container that a target gives to images of one's own."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the target would create for a revision, as the platform describes it."""

    container: Mapping[str, Any]
    """A ModelContainerSpec."""
    version: Mapping[str, Any]
    """The other fields of the Model."""
    extra: Mapping[str, Any]
    """Those of them that are of `extra`."""
    deployed: Callable[[str], Mapping[str, Any]]
    """Return the DeployedModel of a revision."""


def find_settings(options: Options, reading: Reading, expected: Expected) -> Iterator[Setting]:
    """Yield what differs: the endpoint, and the deployments and versions on it."""
    snapshot = snapshot_of(reading)
    endpoint = snapshot.endpoint
    if endpoint is None:
        return
    yield from _endpoint(options, endpoint, snapshot.endpoint_id)
    for version in snapshot.versions:
        name = version.revision.id
        placements = endpoint.placements(name)
        for placed in placements:
            yield from _deployed(options, placed, expected.deployed(name), name)
        if placements:
            yield from _version(options, version, expected, name)


def _endpoint(options: Options, endpoint: Endpoint, name: str) -> Iterator[Setting]:
    of, extra = f"the endpoint {name}", options.extra.get(ENDPOINT, {})
    wanted = {"dedicatedEndpointEnabled": options.dedicated_endpoint, **network_fields(options)}
    yield from compare(fields_of_endpoint(wanted), fields_of_endpoint(endpoint.record), of)
    yield from _labels(options, endpoint.labels, of)
    digests = digest_of(options.extra, ENDPOINT), endpoint.labels.get(LABEL, "")
    yield from _extra(extra, endpoint.record, ENDPOINT, of, digests)


def _deployed(
    options: Options, placed: Placed, wanted: Mapping[str, Any], of: str
) -> Iterator[Setting]:
    wants, has = fields_of_deployed(wanted), fields_of_deployed(placed.record)
    logs = [str(fields.pop(LOGGING, True)).lower() for fields in (wants, has)]
    if logs[0] != logs[1]:
        yield Setting(f"{LOGGING} of {of}", *logs)
    yield from compare(wants, has, of)
    extra = options.extra.get(DEPLOYED, {})
    yield from _extra(extra, placed.record, DEPLOYED, of, (mark(wanted), mark(placed.record)))


def _version(options: Options, version: Version, expected: Expected, of: str) -> Iterator[Setting]:
    record, container = version.record, expected.container
    existing = record.get("containerSpec", {})
    wants = fields_of_version({**expected.version, "containerSpec": container})
    has = fields_of_version(record)
    for fields in (wants, has):
        fields.pop("env", None)
        fields.pop("labels", None)
    rows = [
        *compare(wants, has, of),
        *compare_environment(environment_of(container), environment_of(existing), of),
        *compare_given(_of_container(container), _of_container(existing), of),
    ]
    extra = options.extra.get(MODEL, {})
    rows += compare_given(extra, record, of, f"extra.{MODEL}.")
    yield from rows
    yield from _labels(options, record.get("labels", {}), of)
    same = container_fingerprint(container, expected.extra, version.source)
    if not rows and version.container not in {None, same}:
        yield Setting(f"container of {of}", str(container["imageUri"]), "another container")


def _of_container(spec: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: spec[key] for key, name in CONTAINER.items() if key in spec}
    if "port" in fields:
        fields["port"] = ", ".join(str(port.get("containerPort")) for port in fields["port"])
    return fields


def _labels(options: Options, existing: Mapping[str, str], of: str) -> Iterator[Setting]:
    """Yield the target's labels that differ; those of others stay, as removed ones of its own."""
    for name, value in options.labels.items():
        if existing.get(name) != value:
            yield Setting(f"label {name} of {of}", value, existing.get(name, NOTHING))


def _extra(
    extra: Mapping[str, Any],
    record: Mapping[str, Any],
    request: str,
    of: str,
    digests: tuple[str, str],
) -> Iterator[Setting]:
    """Yield the extra fields that differ; `digests` are of the wanted ones and the existing."""
    rows = list(compare_given(extra, record, of, f"extra.{request}."))
    yield from rows
    if not rows and digests[0] != digests[1]:
        yield Setting(f"extra.{request} of {of}", "set" if extra else NOTHING, "other fields")
