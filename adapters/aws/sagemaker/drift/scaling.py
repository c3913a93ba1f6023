"""The automatic scaling of an endpoint's variants, compared with the field `autoscaling`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cloudserve.errors import RemoteError
from cloudserve.release.inspection.drift import NOTHING, Setting

from ....settings import compare
from ...errors import is_denied
from ..context import AwsContext
from ..fields.read_back import fields_of_scaling
from ..planning.autoscaling import policy_of, without_defaults
from ..records import Endpoint

if TYPE_CHECKING:
    from ..api.scaling import Scaled

logger = logging.getLogger(__name__)
FIELD = "autoscaling"


def scaling_drift(aws: AwsContext, endpoint: Endpoint) -> Iterator[Setting]:
    """Yield what differs in the scaling of each variant with instances.

    A target without `autoscaling` may not be allowed to read it: then nothing is compared.
    """
    names = [str(s["VariantName"]) for s in endpoint.variants if "InstanceType" in s]
    try:
        scaled = aws.api.scaling.targets(endpoint.name, names)
    except RemoteError as error:
        if aws.options.autoscaling is not None or not is_denied(error):
            raise
        logger.warning("the scaling of the endpoint is not compared: %s", error.message)
        return
    for name in names:
        yield from _compare(aws, endpoint.name, name, scaled)


def _compare(
    aws: AwsContext, endpoint: str, name: str, scaled: Mapping[str, Scaled]
) -> Iterator[Setting]:
    existing, wanted = scaled.get(name), aws.options.autoscaling
    limits = f"{wanted.min} to {wanted.max}" if wanted else NOTHING
    if existing is not None and existing.policy is None:
        bounds = f"{existing.minimum} to {existing.maximum}, not cloudserve's"
        yield Setting(f"{FIELD} of {name}", limits, bounds)
        return
    policy = without_defaults(policy_of(wanted, endpoint)) if wanted else {}
    existing_policy = without_defaults(existing.policy or {}) if existing is not None else {}
    expected = fields_of_scaling(wanted.min, wanted.max, policy) if wanted else {}
    has = {}
    if existing is not None:
        has = fields_of_scaling(existing.minimum, existing.maximum, existing_policy)
    rows = list(compare({FIELD: expected}, {FIELD: has}, name))
    yield from rows
    if not rows and existing is not None and existing_policy != policy:
        yield Setting(f"{FIELD} of {name}", limits, "another policy")
