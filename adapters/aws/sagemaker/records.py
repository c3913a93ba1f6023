"""SageMaker's names and records <-> the core's types. Pure functions.

A revision is a SageMaker Model (`ENDPOINT-REVISION`) and, while it is on the endpoint, a variant
named by its id; on a staged endpoint it is the one variant `AllTraffic`. An endpoint configuration
is named by its content, so that making one twice is making it once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from cloudserve.errors import UserError
from cloudserve.release.types import DIGITS_IN_ID, Revision, State

Spec = Mapping[str, Any]
"""A ProductionVariant as CreateEndpointConfig takes it."""
NUMBER, DIGEST = "cloudserve-number", "cloudserve-digest"
ONLY = "AllTraffic"
"""The variant of an endpoint that serves one revision at a time, whichever it is."""
NAME_LIMIT = 63
REVISION_ID = re.compile(r"v\d+-[0-9a-f]{12}")

IN_SERVICE, FAILED = "InService", "Failed"
CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
STATES = {
    "Creating": State.CREATING,
    "Updating": State.UPDATING,
    "SystemUpdating": State.UPDATING,
    "RollingBack": State.UPDATING,
    IN_SERVICE: State.READY,
    # Both configurations serve after a failed roll-back, and the endpoint takes updates.
    "UpdateRollbackFailed": State.READY,
    "Deleting": State.DELETING,
    FAILED: State.FAILED,
    "OutOfService": State.FAILED,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint with its configuration."""

    name: str
    arn: str
    status: str
    config: str
    variants: tuple[Spec, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    """Variant -> current weight; without an entry while it is being made."""
    pending: str = ""
    """The configuration of a running update."""
    reason: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of its configuration beside the variants."""
    modified: datetime | None = None
    shadows: tuple[Spec, ...] = ()
    """Shadow variants: they get copies of requests, and their answers are dropped."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Variant -> desired number of instances; without an entry if it has none."""
    config_record: Mapping[str, Any] = field(default_factory=dict)
    """DescribeEndpointConfig's answer for `config`; {} if the configuration was deleted."""
    tags: Mapping[str, str] | None = None
    """Its tags, if they were read with it."""

    @property
    def state(self) -> State:
        """Return the status as the core's State."""
        return STATES.get(self.status, State.UPDATING)

    @property
    def shares(self) -> dict[str, float]:
        """Return variant -> share of the traffic; empty when nothing is served."""
        total = sum(self.weights.values())
        if self.status == FAILED or not total:
            return {}
        return {name: weight / total for name, weight in self.weights.items()}

    def has(self, variant: str) -> bool:
        """Return whether the endpoint's configuration has a variant."""
        return any(spec["VariantName"] == variant for spec in self.variants)

    @property
    def staged(self) -> bool:
        """Return whether it serves one revision at a time, in a variant of a fixed name."""
        return [spec["VariantName"] for spec in self.variants] == [ONLY]

    def revision(self, variant: str, base: str) -> str:
        """Return the revision that a variant serves; the variant's name if it is not ours."""
        return _served(self.variants, variant, base) or variant

    def shadowed_by(self, revision_id: str, base: str) -> bool:
        """Return whether a shadow variant of the endpoint is a revision."""
        return carries(self.shadows, revision_id, base)

    def serves(self, revision_id: str, base: str) -> bool:
        """Return whether a variant of the endpoint's configuration serves a revision."""
        return carries(self.variants, revision_id, base)


def carries(variants: Sequence[Spec], revision_id: str, base: str) -> bool:
    """Return whether one of these variants serves a revision.

    `base` is the name of the model's endpoint here and below: SageMaker Models are named after it.
    """
    return any(_served(variants, str(v["VariantName"]), base) == revision_id for v in variants)


def _served(variants: Sequence[Spec], variant: str, base: str) -> str | None:
    names = (str(s.get("ModelName", "")) for s in variants if s["VariantName"] == variant)
    return next((revision_id_of(name, base) for name in names), None)


def without_underscores(name: str) -> str:
    """Return a name as SageMaker takes it."""
    return name.replace("_", "-")


def model_name(base: str, revision_id: str) -> str:
    """Return the SageMaker Model of a revision; raises UserError if it is longer than allowed."""
    name = f"{base}-{revision_id}"
    if len(name) > NAME_LIMIT:
        raise UserError(
            f"`{name}` is longer than the {NAME_LIMIT} characters that SageMaker allows",
            hint=f"shorten the model's name, or the target's `endpoint_name`, "
            f"by {len(name) - NAME_LIMIT}",
        )
    return name


def revision_id_of(name: str, base: str) -> str | None:
    """Return the revision in the name of a SageMaker Model, or None for another endpoint's."""
    prefix = f"{base}-"
    rest = name.removeprefix(prefix)
    return rest if name.startswith(prefix) and REVISION_ID.fullmatch(rest) else None


def revision_of(tags: Mapping[str, str]) -> Revision | None:
    """Return the revision in a resource's tags, or None if cloudserve did not make it."""
    number, digest = tags.get(NUMBER, ""), tags.get(DIGEST, "")
    return Revision(int(number), digest) if number.isdecimal() and digest else None


def tag_list(own: Mapping[str, str], **more: str | float) -> list[dict[str, str]]:
    """Return tags as SageMaker takes them; `more` are `number` and `digest`."""
    values = {**own} | {f"cloudserve-{key}": str(value) for key, value in more.items()}
    return [{"Key": key, "Value": value} for key, value in values.items()]


def container(
    image: str, url: str, env: Mapping[str, str], *, many: bool = False
) -> dict[str, Any]:
    """Return a container that reads a SavedModel tree below a prefix, or an archive of one.

    One of `many` models reads the archives below a prefix.
    """
    definition: dict[str, Any] = {"Image": image}
    if many:
        definition |= {"Mode": "MultiModel", "ModelDataUrl": url}
    elif url.endswith("/"):
        source = {"S3Uri": url, "S3DataType": "S3Prefix", "CompressionType": "None"}
        definition["ModelDataSource"] = {"S3DataSource": source}
    else:
        definition["ModelDataUrl"] = url
    return {**definition, "Environment": dict(env)} if env else definition


def source_of(model: Mapping[str, Any]) -> str:
    """Return the URL that a SageMaker Model reads."""
    return data_url(model.get("PrimaryContainer", {}))


def data_url(container: Mapping[str, Any]) -> str:
    """Return the URL that a container's model is read from."""
    data = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(data.get("S3Uri") or container.get("ModelDataUrl", ""))


def new_variant(name: str, model: str, kind: str, count: int) -> Spec:
    """Return a variant without traffic, yet."""
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": kind,
        "InitialInstanceCount": count,
        "InitialVariantWeight": 0.0,
    }


def weighted(variants: Sequence[Spec], shares: Mapping[str, float]) -> tuple[Spec, ...]:
    """Return the variants with these shares of the traffic, 0 for those without."""
    return tuple(
        {**spec, "InitialVariantWeight": shares.get(spec["VariantName"], 0.0)} for spec in variants
    )


def canonical(variants: Sequence[Spec]) -> str:
    """Return variants as JSON text, one text for one content."""
    ordered = sorted(variants, key=lambda spec: str(spec["VariantName"]))
    return msgspec.json.encode(ordered, order="sorted").decode()


def bucket_of(url: str) -> str:
    """Return the bucket in `s3://NAME/…`."""
    return url.removeprefix("s3://").partition("/")[0]


def config_name(base: str, *content: str) -> str:
    """Return the name of the endpoint configuration with this content (canonical JSON each)."""
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
    return f"{base}-{digest[:DIGITS_IN_ID]}"
