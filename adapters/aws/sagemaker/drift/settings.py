"""What SageMaker has of a model, compared with the target's fields.

What the target would create is read back by the same functions as what exists, so that every field
that `status` shows is compared. Planners compare the same, so `deploy` brings it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudserve.release.inspection.drift import Setting
from cloudserve.release.types import Reading

from ....settings import compare, compare_environment, compare_given
from ..context import AwsContext
from ..fields.endpoint_config import VPC, network, settings, shadow, variant
from ..fields.extra import CONFIG, MODEL, TAG, VARIANT, extra_tag
from ..fields.read_back import fields_of_config, fields_of_model, fields_of_variant
from ..records import Endpoint, Spec, model_name, source_of
from ..snapshot import TaggedModel, snapshot_of
from .scaling import scaling_drift
from .tags import tag_drift

COUNT = "instance_count"
RAW = ("ExplainerConfig", "MetricsConfig")
"""Fields of an endpoint configuration that a target sets by `extra` alone."""
OF_VARIANT = frozenset(
    {
        "VariantName",
        "ModelName",
        "InitialVariantWeight",
        "InstanceType",
        "InitialInstanceCount",
        "ServerlessConfig",
        "VolumeSizeInGB",
        "ModelDataDownloadTimeoutInSeconds",
        "ContainerStartupHealthCheckTimeoutInSeconds",
    }
)
"""Fields of a variant that a release or a field of the target sets; the others are of `extra`."""


def find_settings(aws: AwsContext, reading: Reading) -> Iterator[Setting]:
    """Yield what differs: the endpoint, its variants, scaling and tags, and its containers."""
    snapshot, model = snapshot_of(reading), reading.deployment.model
    if snapshot.endpoint is None:
        return
    yield from endpoint_settings(aws, snapshot.endpoint)
    served: dict[str, TaggedModel] = {}
    for name, endpoint, expected, spec in _variants(aws, reading, snapshot.endpoint):
        yield from variant_settings(aws, endpoint, expected, spec, name)
        if tagged := snapshot.models.get(name):
            served[name] = tagged
    for name, tagged in served.items():
        yield from container_settings(aws, tagged, aws.options.env, name)
    yield from scaling_drift(aws, snapshot.endpoint)
    endpoints = (snapshot.endpoint, *snapshot.staging.values())
    yield from tag_drift(aws, model, endpoints, served.values())


def _variants(
    aws: AwsContext, reading: Reading, main: Endpoint
) -> Iterator[tuple[str, Endpoint, Spec, Spec]]:
    """Yield each variant of a revision: revision, endpoint, expected variant, existing one."""
    base, staging = aws.names.endpoint(reading.deployment.model), snapshot_of(reading).staging
    for deployed in reading.deployment.revisions:
        name = deployed.revision.id
        own = staging.get(name)
        endpoint, model = own or main, model_name(base, name)
        for spec in (*endpoint.variants, *endpoint.shadows):
            if spec.get("ModelName") != model:
                continue
            expected = variant(aws.options, str(spec["VariantName"]), model, idle=own is not None)
            if spec in endpoint.shadows:
                expected = shadow(aws.options, str(spec["VariantName"]), model)
            yield name, endpoint, expected, spec


def endpoint_settings(aws: AwsContext, endpoint: Endpoint) -> Iterator[Setting]:
    """Yield what differs in an endpoint's configuration, beside its variants."""
    expected, extra = settings(aws.options), aws.options.extra.get(CONFIG, {})
    yield from compare(
        fields_of_config(expected), fields_of_config(endpoint.settings), endpoint.name
    )
    record = endpoint.config_record
    prefix = f"extra.{CONFIG}."
    yield from compare_given(
        {key: value for key, value in extra.items() if key not in RAW},
        record,
        endpoint.name,
        prefix,
    )
    wants, has = ({key: fields.get(key) for key in RAW} for fields in (extra, record))
    yield from compare(wants, has, endpoint.name, prefix)


def variant_settings(
    aws: AwsContext, endpoint: Endpoint, expected: Spec, spec: Spec, of: str
) -> Iterator[Setting]:
    """Yield what differs in a variant; the number of a scaled one's instances is not compared."""
    name = str(spec["VariantName"])
    wants, has = fields_of_variant(expected), fields_of_variant(spec)
    if COUNT in has:
        has[COUNT] = endpoint.counts.get(name, has[COUNT])
    if aws.options.autoscaling is not None:
        wants.pop(COUNT, None)
        has.pop(COUNT, None)
    yield from compare(wants, has, of)
    raw = {key: value for key, value in spec.items() if key not in OF_VARIANT}
    yield from compare(aws.options.extra.get(VARIANT, {}), raw, of, f"extra.{VARIANT}.")
    if spec in endpoint.shadows:
        weights = (float(s.get("InitialVariantWeight", 0)) * 100 for s in (expected, spec))
        project_share, platform_share = ({"shadow_percent": round(weight, 2)} for weight in weights)
        yield from compare(project_share, platform_share, of)


def container_settings(
    aws: AwsContext, tagged: TaggedModel, env: Mapping[str, str], of: str
) -> Iterator[Setting]:
    """Yield what differs in a SageMaker Model: image, environment, role, network, extra fields."""
    record = tagged.record
    expected = {
        "ExecutionRoleArn": aws.role_arn,
        "PrimaryContainer": {"Image": aws.image},
        **network(aws.options),
    }
    wants, has = (_of_container(fields) for fields in (expected, record))
    if not aws.options.multi_model:
        wants["archive"] = aws.options.archived
        has["archive"] = not source_of(record).endswith("/")
    yield from compare(wants, has, of)
    environment = dict(record.get("PrimaryContainer", {}).get("Environment", {}))
    extra = aws.options.extra.get(MODEL, {})
    more = extra.get("PrimaryContainer", {}).get("Environment", {})
    yield from compare_environment({**env, **more}, environment, of)
    rows = list(compare_given(extra, record, of, f"extra.{MODEL}."))
    yield from rows
    digest = extra_tag(aws.options.extra, MODEL).get(TAG, "")
    if not rows and digest != tagged.tags.get(TAG, ""):
        yield Setting(f"extra.{MODEL} of {of}", "set" if extra else "-", "other fields")


def _of_container(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a SageMaker Model, without the fields that have rows of their own."""
    vpc = {key: sorted(names) for key, names in (record.get(VPC) or {}).items()}
    fields = fields_of_model({**record, VPC: vpc}, {})
    fields.pop("env", None)
    return fields
