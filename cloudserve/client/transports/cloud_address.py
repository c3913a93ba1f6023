"""Addresses of endpoints and models on the platforms, as the platforms themselves write them.

Sources: SageMaker's service model (EndpointArn; `/endpoints/{EndpointName}/invocations`);
aiplatform v1, `Endpoint` (`name`, `dedicatedEndpointDns`); google-cloud-aiplatform,
`PrivateEndpoint.predict` (`privateEndpoints.predictHttpUri`); ml v1, `projects.predict`. Endpoints
of another adapter are `PROVIDER://…`, in its own form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudserve import registry
from cloudserve.errors import UserError

_ENDPOINT = r"projects/(?P<project>[^/\s]+)/locations/(?P<region>[a-z0-9-]+)/endpoints/"
_NAME = rf"{_ENDPOINT}(?P<endpoint>[a-z0-9-]+)"
_MODEL = r"projects/(?P<project>[^/\s]+)/models/(?P<model>\w+)(?:/versions/(?P<version>\w+))?"
# The host's characters alone: parsers of URLs disagree about others. `\` ends a host for urllib3.
_BASE = r"(?P<base>https?://(?:[\w.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?)/v1/"
_AWS_NAME = r"(?P<endpoint>[a-zA-Z0-9-]{1,63})"
_ARN = (
    r"arn:aws[\w-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):endpoint/" + _AWS_NAME
)
_INVOCATIONS = (
    r"https://runtime\.sagemaker\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    rf"/endpoints/{_AWS_NAME}/invocations"
)
_DNS = (
    r"(?:https://)?(?P<dns>(?P<endpoint>[a-z0-9-]+)\.(?P<region>[a-z]+-[a-z]+[0-9]+)-"
    r"(?P<project>[0-9]+)\.prediction\.vertexai\.goog)/?"
)
_PRIVATE = (
    r"(?P<private>http://(?P<endpoint>[a-z0-9-]+)\.aiplatform\.googleapis\.com/v1/models/"
    r"[^/:\s]+:predict)"
)
_FORMS = (
    ("sagemaker", _ARN),
    ("sagemaker", _INVOCATIONS),
    ("vertex", _NAME),
    ("vertex", rf"{_BASE}{_NAME}(?::predict|:rawPredict)?"),
    ("vertex", _DNS),
    ("vertex", _PRIVATE),
    ("ai-platform", _MODEL),
    ("ai-platform", rf"{_BASE}{_MODEL}(?::predict)?"),
)
_OTHERS = frozenset({"http", "https", "grpc", "grpcs", *(provider for provider, _ in _FORMS)})
"""Schemes of servers, and the platforms whose addresses have forms of their own."""


@dataclass(frozen=True, slots=True)
class CloudAddress:
    """An endpoint or a model of a platform, without a project file."""

    provider: str
    """The adapter's name, as a target's `provider`."""
    text: str
    parts: Mapping[str, str] = field(default_factory=dict)
    """What the address says: `region`, `project`, `endpoint`, `base`, …"""
    model: str = ""
    """The model of a SageMaker endpoint with several."""
    version: str = ""
    """A production variant of SageMaker, a version of AI Platform."""


def parse_cloud(text: str, model: str = "") -> CloudAddress | None:
    """Return the address that a text names; None if it is not one of a platform.

    Raises UserError for an ARN or a resource's name that cannot be asked.
    """
    for provider, form in _FORMS:
        match = re.fullmatch(form, text, re.ASCII)
        if match is not None:
            parts = {name: value for name, value in match.groupdict().items() if value}
            return _checked(provider, text, parts, model)
    if text.startswith(("arn:", "projects/")):
        raise _unknown(text)
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in _OTHERS and scheme in registry.names_of(registry.ENDPOINTS):
        return CloudAddress(scheme, text, {}, model)
    return None


def _checked(provider: str, text: str, parts: dict[str, str], model: str) -> CloudAddress:
    if model and provider != "sagemaker":
        raise UserError(
            f"the address names its model, and `{model}` is another",
            where=text,
            hint="leave the model out",
        )
    return CloudAddress(provider, text, parts, model, parts.get("version", ""))


def _unknown(text: str) -> UserError:
    if ":inference-component/" in text:
        return UserError(
            "inference components of SageMaker are not supported",
            where=text,
            hint="deploy the model to a target of its own, with variants",
        )
    return UserError(
        "this does not name an endpoint that answers predictions",
        where=text,
        hint="give arn:aws:sagemaker:REGION:ACCOUNT:endpoint/NAME, "
        "projects/P/locations/L/endpoints/E, or projects/P/models/M of AI Platform",
    )
