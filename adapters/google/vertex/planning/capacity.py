"""The machines of an endpoint's deployments before, while and after the actions of a plan.

Each DeployedModel has machines of its own from its deployment to its undeployment, at least
`minReplicaCount` of them (aiplatform v1, DedicatedResources).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudserve.release.capacity import Machines, Stage
from cloudserve.release.types import Action

from ..records import Endpoint


def stages(endpoint: Endpoint | None, actions: Iterable[Action]) -> list[Stage]:
    """Return the machines now and after each action."""
    placed = endpoint.placed if endpoint is not None else ()
    deployments = {p.id: _machines(p.revision or p.id, p.resources) for p in placed}
    stages = [tuple(deployments.values())]
    for action in actions:
        _perform(deployments, action)
        stages.append(tuple(deployments.values()))
    return stages


def _perform(deployments: dict[str, Machines], action: Action) -> None:
    args = action.args
    deployment, revision = str(args.get("deployment", "")), str(args.get("revision", ""))
    match action.kind:
        case "deploy-model":
            resources = args["deployed"].get("dedicatedResources", {})
            deployments[f"new {revision}"] = _machines(revision, resources)
        case "scale-model" if deployment in deployments:
            before = deployments[deployment]
            scaled = _machines(before.revision, args["scaling"])
            deployments[deployment] = Machines(
                before.revision, before.kind, scaled.count, scaled.most
            )
        case "undeploy-model" if not deployment:
            for name in [n for n, each in deployments.items() if each.revision == revision]:
                del deployments[name]
        case "undeploy-model" | "take-off":
            deployments.pop(deployment, None)
        case "delete-endpoint":
            deployments.clear()


def _machines(revision: str, resources: Mapping[str, Any]) -> Machines:
    spec = resources.get("machineSpec", {})
    kind = str(spec.get("machineType", "machines of Vertex AI's choice"))
    accelerators = int(spec.get("acceleratorCount", 0))
    if accelerators:
        kind += f" with {accelerators} {spec.get('acceleratorType', 'accelerators')}"
    least = int(resources.get("minReplicaCount", 1))
    most = int(resources.get("maxReplicaCount", 0))
    return Machines(revision, kind, least, most if most > least else 0)
