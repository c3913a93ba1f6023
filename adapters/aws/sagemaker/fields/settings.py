"""The settings of a model's variants and SageMaker Models, compared with the target's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudserve.release.drift import Setting
from cloudserve.release.types import Reading

from ....settings import compare_environment, compare_fields
from ..context import AwsContext
from ..records import Endpoint, model_name
from ..snapshot import TaggedModel, snapshot_of
from .endpoint_config import network, same_network, settings, variant

COUNT = "InitialInstanceCount"
OF_CONFIG = ("VariantName", "ModelName", "InitialVariantWeight", COUNT)
"""The fields of a variant that belong to a release, or that the endpoint itself shows."""


def find_settings(aws: AwsContext, reading: Reading) -> Iterator[Setting]:
    """Yield what differs: variants and settings of the endpoint, containers of its revisions."""
    snapshot = snapshot_of(reading)
    endpoint = snapshot.endpoint
    if endpoint is None:
        return
    base = aws.names.endpoint(reading.deployment.model)
    yield from compare_fields(settings(aws.options), endpoint.settings, endpoint.name)
    for deployed in reading.deployment.revisions:
        name = deployed.revision.id
        if endpoint.serves(name, base):
            yield from _variant(aws, endpoint, name, base)
            tagged = snapshot.models.get(name)
            if tagged is not None:
                yield from _container(aws, tagged, name)


def _variant(aws: AwsContext, endpoint: Endpoint, revision: str, base: str) -> Iterator[Setting]:
    for spec in endpoint.variants:
        name = str(spec["VariantName"])
        if endpoint.revision(name, base) != revision:
            continue
        expected = variant(aws.options, name, model_name(base, revision))
        fields = {key: value for key, value in expected.items() if key not in OF_CONFIG}
        yield from compare_fields(fields, spec, revision)
        if COUNT in expected and aws.options.autoscaling is None:
            has = endpoint.counts.get(name, spec.get(COUNT))
            yield from compare_fields(
                {"InstanceCount": expected[COUNT]}, {"InstanceCount": has}, revision
            )


def _container(aws: AwsContext, tagged: TaggedModel, revision: str) -> Iterator[Setting]:
    primary: Mapping[str, object] = tagged.record.get("PrimaryContainer", {})
    yield from compare_fields({"Image": aws.image}, primary, revision)
    environment = dict(tagged.record.get("PrimaryContainer", {}).get("Environment", {}))
    yield from compare_environment(dict(aws.options.env), environment, revision)
    role = {"ExecutionRoleArn": aws.role_arn}
    yield from compare_fields(role, tagged.record, revision)
    if not same_network(network(aws.options), tagged.record):
        yield Setting(f"network of {revision}", "as in the project file", "another one")
