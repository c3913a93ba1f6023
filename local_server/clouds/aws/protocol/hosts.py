"""The host names of AWS: the service and region that they name.

Source: the endpoint rules of botocore's services, which a test compares with this grammar; Amazon
ECR user guide, "Private registry".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ...hosts import host_name
from ...objects.addressing import DOMAINS, REGION, s3_host
from .arns import DEFAULT_REGION

_DUAL_STACK = (*("api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu", "on.aws"),)
_SUFFIXES = "|".join(map(re.escape, (*DOMAINS, *_DUAL_STACK)))
_HOST = re.compile(
    rf"(?P<service>[a-z0-9-]+(?:\.[a-z0-9-]+)??)"
    rf"(?:\.(?P<region>{REGION}|global|us-gov))?\.(?P<suffix>{_SUFFIXES})"
)
_REGISTRY = re.compile(rf"[0-9]{{12}}\.dkr[.-]ecr(?:-fips)?\.(?P<region>{REGION})\.(?:{_SUFFIXES})")
REGISTRY = "dkr.ecr"
"""The container registry, whose requests are not signed."""
_TWO_LABELS = {"api.sagemaker": "sagemaker", "runtime.sagemaker": "sagemaker", "api.ecr": "ecr"}
"""The signing names of services whose hosts have two labels before the region."""
_ONE_LABEL = {"sagemaker": (), "ecr": _DUAL_STACK}
"""The domains under which these have hosts of one label, as other services have."""
_REGIONAL = frozenset(
    {"application-autoscaling", "ecr", "logs", "monitoring", "sagemaker", "servicequotas", "sns"}
)
"""Services without a host that names no region."""
_OF_PARTITIONS = {"cn": "cn-north-1", "eu": "eusc-de-east-1"}
"""The regions that global services of partitions sign for, by the end of their hosts."""


@dataclass(frozen=True, slots=True)
class AwsHost:
    """The service, by the name that requests are signed for, and its region.

    `region` is "" if the host serves every region: S3's global one.
    """

    service: str
    region: str


@lru_cache(maxsize=256)
def aws_host(authority: str) -> AwsHost | None:
    """Return what a `Host` of AWS names; None for any other host.

    Hosts of users' own resources, such as `….execute-api.…` and `….elb.…`, are none of AWS's.
    """
    host = host_name(authority)
    storage = s3_host(host)
    if storage is not None:
        return AwsHost("s3", storage.region)
    registry = _REGISTRY.fullmatch(host)
    if registry is not None:
        return AwsHost(REGISTRY, registry["region"])
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    name = match["service"].replace("-fips", "")
    service = _TWO_LABELS.get(name, "" if "." in name else name)
    is_named = match["suffix"] in _ONE_LABEL.get(name, (match["suffix"],))
    is_placed = match["region"] is not None or service not in _REGIONAL
    return AwsHost(service, _region(match)) if service and is_named and is_placed else None


def _region(host: re.Match[str]) -> str:
    """Return the region; for a global service the one that its requests are signed for."""
    if host["region"] == "us-gov":
        return "us-gov-west-1"
    if host["region"] in {None, "global"}:
        return _OF_PARTITIONS.get(host["suffix"].rpartition(".")[2], DEFAULT_REGION)
    return str(host["region"])
