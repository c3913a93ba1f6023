"""Service quotas: how many instances of a type the endpoints of a region may have together.

`emulate --limit TYPE=N` sets them; without it there are none. The text of a refusal is the
service's (awsdocs/amazon-sagemaker-developer-guide#70; since 2023 it names Service Quotas:
aws-samples/aws-genai-llm-chatbot#244). An update needs its new instances beside the old ones ("a
new fleet of instances": API reference, UpdateEndpoint), a rolling update a batch of them.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping

from cloudserve.errors import MissingExtraError, UserError

from ..pages import page
from ..resources import Document
from .protocol.arns import ACCOUNT
from .protocol.errors import AwsError
from .protocol.json_app import Authorize, JsonApp
from .sagemaker.endpoints.deployments import Deployment, Variant
from .sagemaker.endpoints.table import EndpointTable

TARGET = "ServiceQuotasV20190624."
_SERVICE = "sagemaker"
_PAGE = 100
_FLEET = 1.0


def read_limits(texts: Iterable[str]) -> dict[str, int]:
    """Return the limits in texts such as `ml.c5.xlarge=2`; raises UserError."""
    return dict(_read_limit(text) for text in texts)


def _read_limit(text: str) -> tuple[str, int]:
    kind, _, number = text.partition("=")
    if not (number.isascii() and number.isdecimal()):
        raise UserError(f"`{text}` is not a limit", hint="write it as ml.c5.xlarge=2")
    known = _instance_types()
    if kind not in known:
        close = difflib.get_close_matches(kind, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "name a type such as ml.c5.xlarge"
        raise UserError(f"`{kind}` is not an instance type of endpoints", hint=hint)
    return kind, int(number)


def _instance_types() -> list[str]:
    """Return the instance types of endpoints; raises MissingExtraError without botocore."""
    try:
        from botocore.loaders import Loader
    except ModuleNotFoundError as error:
        raise MissingExtraError("--limit", "aws") from error
    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    types: list[str] = shapes["ProductionVariantInstanceType"]["enum"]
    return types


class Quotas:
    """The limits, and what the endpoints of a region use of them."""

    def __init__(self, endpoints: EndpointTable, limits: Mapping[str, int]) -> None:
        self._endpoints = endpoints
        self._limits = limits

    def check_new(self, region: str, deployment: Deployment, share: float = _FLEET) -> None:
        """Raise AwsError if a fleet, or the largest share of it at a time, exceeds a limit."""
        self._check(region, {k: -int(-n * share // 1) for k, n in _counted(deployment).items()})

    def check_change(self, region: str, before: Deployment, after: Deployment) -> None:
        """Raise AwsError if the instances that are added to a fleet exceed a limit."""
        self._check(region, _counted(after) - _counted(before))

    def check_more(self, region: str, kind: str | None, more: int) -> None:
        """Raise AwsError if so many more instances of a type exceed a limit."""
        self._check(region, {kind: more} if kind and more > 0 else {})

    def _check(self, region: str, delta: Mapping[str, int]) -> None:
        if not self._limits:
            return
        used = self._used(region)
        for kind, more in delta.items():
            limit = self._limits.get(kind)
            if limit is not None and more and used[kind] + more > limit:
                raise AwsError(
                    "ResourceLimitExceeded",
                    f"The account-level service limit '{kind} for endpoint usage' is {limit}"
                    f" Instances, with current utilization of {used[kind]} Instances and a request"
                    f" delta of {more} Instances. Please use AWS Service Quotas to request an"
                    " increase for this quota. If AWS Service Quotas is not available, contact AWS"
                    " support to request an increase for this quota.",
                )

    def _used(self, region: str) -> Counter[str]:
        used: Counter[str] = Counter()
        for _, endpoint in self._endpoints.all(region):
            fleets = (endpoint.serving, endpoint.pending, endpoint.mixed)
            for deployment in filter(None, fleets):
                used += _counted(deployment)
        return used

    def app(self, authorize: Authorize | None = None) -> JsonApp:
        """Return Service Quotas' HTTP application."""
        handlers = {"ListServiceQuotas": self.list_quotas}
        return JsonApp("service-quotas", TARGET, handlers, authorize=authorize)

    def list_quotas(self, region: str, body: Document) -> Document:
        """Return a page of the limits; raises AwsError for another service."""
        if body["ServiceCode"] != _SERVICE:
            text = f"Quotas of {body['ServiceCode']} are not available offline."
            raise AwsError("UnsupportedOperationException", text)
        quotas = [(kind, _quota(region, kind, self._limits[kind])) for kind in sorted(self._limits)]
        try:
            shown, token = page(quotas, body.get("MaxResults", _PAGE), body.get("NextToken"))
        except ValueError as error:
            raise AwsError("InvalidPaginationTokenException", "Invalid token.") from error
        return {"Quotas": shown} | ({"NextToken": token} if token else {})


def _quota(region: str, kind: str, limit: int) -> Document:
    return {
        "ServiceCode": _SERVICE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:{_SERVICE}/{kind}",
        "QuotaName": f"{kind} for endpoint usage",
        "Value": float(limit),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _counted(deployment: Deployment) -> Counter[str]:
    counted: Counter[str] = Counter()
    for variant in deployment.all_variants:
        counted += _instances(variant)
    return counted


def _instances(variant: Variant) -> Counter[str]:
    return Counter({variant.instance: variant.count} if variant.instance else {})
