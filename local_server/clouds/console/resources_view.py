"""The clouds' resources as rows: endpoints with their traffic, models, jobs, operations, alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..aws.sagemaker.records import COMPONENT, ENDPOINT, MODEL, PACKAGE, TRANSFORM
from ..google.ai_platform import records as ai_platform
from ..resources import Document, Resources
from ..vertex import records as vertex
from ..vertex.private_endpoints import is_private

_ALARM = "aws/alarm"
_AWS, _VERTEX, _AI_PLATFORM = "AWS", "Vertex AI", "AI Platform"
_MOST_ROWS = 1000
_ALL = 100.0


@dataclass(frozen=True, slots=True)
class Share:
    """A variant or a deployed model of an endpoint, and its part of the traffic."""

    name: str
    runs: str
    percent: float | None
    """None for a shadow variant, which answers nobody."""
    machines: str


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource. `created` is as ISO 8601 in UTC; "" if the platform does not say."""

    cloud: str
    kind: str
    name: str
    place: str
    state: str
    about: str = ""
    created: str = ""
    problem: str = ""
    shares: tuple[Share, ...] = ()
    path: str = ""
    """The path of an endpoint's predictions; "" if it refuses what a page can send."""
    resource: str = ""
    """The ARN or the resource name of an endpoint, as its SDK takes it."""


def list_resources(resources: Resources) -> tuple[ResourceRow, ...]:
    """Return the resources of all clouds, at most so many of each kind."""
    return tuple(
        row(name, document)
        for kind, row in _ROWS.items()
        for name, document in resources.list(kind)[:_MOST_ROWS]
    )


def _aws_endpoint(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    return ResourceRow(
        _AWS,
        "endpoint",
        short,
        region,
        str(document["EndpointStatus"]),
        f"configuration {document['EndpointConfigName']}",
        _iso(document["CreationTime"]),
        document.get("FailureReason") or "",
        tuple(_aws_shares(document)),
        f"/endpoints/{short}/invocations" if _takes_plain_requests(document) else "",
        str(document["EndpointArn"]),
    )


def _takes_plain_requests(document: Document) -> bool:
    """Return whether an endpoint answers a request that names no component, and waits for it."""
    serving: Mapping[str, Any] = document.get("_serving") or {}
    return not serving.get("async") and all(
        variant["container"] is not None for variant in serving.get("variants", ())
    )


def _aws_shares(document: Document) -> Iterator[Share]:
    """Yield the variants of the deployment that serves, and of the one that takes over."""
    pending_part = float(document.get("_share") or 0.0)
    deployments = (("_serving", 1 - pending_part), ("_pending", pending_part))
    for field, part in deployments:
        deployment: Mapping[str, Any] = document.get(field) or {}
        variants = deployment.get("variants", ())
        total = sum(variant["weight"] for variant in variants) or 1.0
        for variant in variants:
            yield _variant(variant, _ALL * part * variant["weight"] / total)
        for variant in deployment.get("shadows", ()):
            yield _variant(variant, None)


def _variant(variant: Mapping[str, Any], percent: float | None) -> Share:
    machines = "serverless" if variant.get("serverless") else ""
    if variant.get("instance"):
        machines = f"{variant.get('count', 0)} x {variant['instance']}"
    container = variant["container"]
    if container is None:
        return Share(variant["name"], "inference components", _rounded(percent), machines)
    source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
    runs = source or container.get("ModelDataUrl") or container.get("Image", "")
    return Share(variant["name"], str(runs), _rounded(percent), machines)


def _rounded(percent: float | None) -> float | None:
    return None if percent is None else round(percent, 2)


def _aws_component(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    hosted: Mapping[str, Any] = document.get("_pending") or document.get("_serving") or {}
    specification: Mapping[str, Any] = hosted.get("specification", {})
    runs = specification.get("ModelName") or specification.get("Container", {}).get("Image", "")
    copies = f"{document.get('_running', 0)} of {document.get('_copies', 0)} copies"
    return ResourceRow(
        _AWS,
        "inference component",
        short,
        region,
        str(document["InferenceComponentStatus"]),
        f"{runs} on {document['EndpointName']}, {copies}",
        _iso(document["CreationTime"]),
        document.get("FailureReason") or "",
    )


def _aws_model(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    first: Mapping[str, Any] = next(iter(document.get("Containers", ())), {})
    container: Mapping[str, Any] = document.get("PrimaryContainer") or first
    image = str(container.get("Image") or container.get("ModelPackageName") or "")
    created = _iso(document["CreationTime"])
    return ResourceRow(_AWS, "model", short, region, "", image, created)


def _aws_package(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    state = str(document.get("ModelApprovalStatus", ""))
    created = _iso(document["CreationTime"])
    return ResourceRow(_AWS, "model package", short, region, state, created=created)


def _aws_job(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    return ResourceRow(
        _AWS,
        "transform job",
        short,
        region,
        str(document["TransformJobStatus"]),
        f"model {document.get('ModelName', '')}",
        _iso(document["CreationTime"]),
        str(document.get("FailureReason") or ""),
    )


def _aws_alarm(name: str, document: Document) -> ResourceRow:
    region, short = _split(name)
    state = str(document.get("StateValue", ""))
    about = f"{document.get('Namespace', '')} {document.get('MetricName', '')}".strip()
    return ResourceRow(_AWS, "alarm", short, region, state, about)


def _vertex_endpoint(name: str, document: Document) -> ResourceRow:
    split: Mapping[str, int] = document.get("trafficSplit", {})
    shares = tuple(
        Share(
            str(deployed.get("displayName") or deployed["id"]),
            f"{deployed['model'].rpartition('/')[2]}, version {deployed['modelVersionId']}",
            float(split.get(deployed["id"], 0)),
            _machines(deployed),
        )
        for deployed in document.get("deployedModels", ())
    )
    place, short = _location(name)
    display = str(document.get("displayName", ""))
    state = "deployed" if shares else "empty"
    created = str(document.get("createTime", ""))
    # A page cannot send the Host of a dedicated endpoint.
    is_reached = not (document.get("dedicatedEndpointDns") or is_private(document))
    return ResourceRow(
        _VERTEX,
        "endpoint",
        display,
        place,
        state,
        f"id {short}",
        created,
        "",
        shares,
        f"/v1/{name}:predict" if is_reached else "",
        name,
    )


def _machines(deployed: Mapping[str, Any]) -> str:
    resources = deployed.get("dedicatedResources")
    if pool := deployed.get("sharedResources"):
        return f"pool {pool.rpartition('/')[2]}"
    if not resources:
        return "automatic" if deployed.get("automaticResources") else ""
    kind = resources.get("machineSpec", {}).get("machineType", "")
    return f"{resources.get('minReplicaCount', 1)} x {kind}"


def _vertex_version(_: str, document: Document) -> ResourceRow:
    place, short = _location(str(document["name"]))
    aliases = ", ".join(document.get("versionAliases", ()))
    about = f"id {short}" + (f", aliases {aliases}" if aliases else "")
    label = f"{document.get('displayName', '')} version {document['versionId']}"
    created = str(document.get("versionCreateTime") or document.get("createTime", ""))
    return ResourceRow(_VERTEX, "model version", label, place, "", about, created)


def _vertex_job(name: str, document: Document) -> ResourceRow:
    place, short = _location(name)
    return ResourceRow(
        _VERTEX,
        "batch job",
        str(document.get("displayName", "")),
        place,
        str(document.get("state", "")).removeprefix("JOB_STATE_"),
        f"id {short}",
        str(document.get("createTime", "")),
        str(document.get("error", {}).get("message", "")),
    )


def _operation_of(cloud: str) -> Callable[[str, Document], ResourceRow]:
    def row(name: str, document: Document) -> ResourceRow:
        error = document.get("error") or {}
        state = "failed" if error else "done" if document.get("done") else "running"
        metadata = document.get("metadata") or {}
        about = str(metadata.get("operationType") or metadata.get("@type", "")).rpartition(".")[2]
        generic: Mapping[str, Any] = metadata.get("genericMetadata") or metadata
        created = str(generic.get("createTime", ""))
        problem = str(error.get("message", ""))
        place = _location(name)[0]
        short = name.rpartition("/")[2]
        return ResourceRow(cloud, "operation", short, place, state, about, created, problem)

    return row


def _ai_platform_model(name: str, document: Document) -> ResourceRow:
    short = name.rpartition("/")[2]
    default = document.get("defaultVersion")
    about = f"default version {default}" if default else ""
    return ResourceRow(_AI_PLATFORM, "model", short, "", "", about)


def _ai_platform_version(name: str, document: Document) -> ResourceRow:
    words = name.split("/")
    return ResourceRow(
        _AI_PLATFORM,
        "version",
        f"{words[-3]} version {words[-1]}",
        "",
        str(document.get("state", "")),
        str(document.get("deploymentUri", "")),
        str(document.get("createTime", "")),
        str(document.get("errorMessage", "")),
    )


_ROWS: Mapping[str, Callable[[str, Document], ResourceRow]] = {
    ENDPOINT.table: _aws_endpoint,
    vertex.ENDPOINT: _vertex_endpoint,
    COMPONENT.table: _aws_component,
    MODEL.table: _aws_model,
    PACKAGE.table: _aws_package,
    vertex.VERSION: _vertex_version,
    ai_platform.MODEL: _ai_platform_model,
    ai_platform.VERSION: _ai_platform_version,
    TRANSFORM.table: _aws_job,
    vertex.JOB: _vertex_job,
    vertex.OPERATION: _operation_of(_VERTEX),
    ai_platform.OPERATION: _operation_of(_AI_PLATFORM),
    _ALARM: _aws_alarm,
}


def _split(name: str) -> tuple[str, str]:
    """Return the region and the name of a stored AWS resource."""
    region, _, short = name.partition("/")
    return region, short


def _location(name: str) -> tuple[str, str]:
    """Return the location and the id in the full name of a Google resource."""
    words = name.split("/")
    place = words[words.index("locations") + 1] if "locations" in words else ""
    return place, words[-1]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
