"""The instances of endpoints before, while and after the actions of a plan.

UpdateEndpoint "deploys the EndpointConfig specified in the request to a new fleet of instances",
moves the traffic and "then deletes the old instances" (SageMaker API reference, UpdateEndpoint): so
both fleets are charged during an update. A rolling update replaces them in batches of
`MaximumBatchSize` (RollingUpdatePolicy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from cloudserve.release.capacity import Machines, Stage
from cloudserve.release.types import Action, Deployment

from ..fields.endpoint_config import CAPTURE, machines_text
from ..records import FAILED, Endpoint, Spec, revision_id_of


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant's instances, and what its endpoint configuration has."""

    machines: Machines
    configured: int
    """Number of instances."""
    capture: object = None
    """The configuration's data capture."""


Fleet = Mapping[str, Variant]


def stages(
    deployment: Deployment,
    endpoints: Iterable[Endpoint | None],
    base: str,
    actions: Iterable[Action],
) -> list[Stage]:
    """Return the instances now, and those during and after each action.

    `base` is the name of the model's endpoint, after which its SageMaker Models are named.
    """
    limits = {d.revision.id: _most(d.settings.get("autoscaling")) for d in deployment.revisions}
    running = [e for e in endpoints if e is not None and e.status != FAILED]
    simulation = _Simulation(base, {e.name: _running(e, base, limits) for e in running})
    return [simulation.stage(), *(s for action in actions for s in simulation.perform(action))]


@dataclass(slots=True)
class _Simulation:
    base: str
    fleets: dict[str, Fleet]
    configs: dict[str, Fleet] = field(default_factory=dict)

    def stage(self, more: Iterable[Machines] = ()) -> Stage:
        return (*(v.machines for fleet in self.fleets.values() for v in fleet.values()), *more)

    def perform(self, action: Action) -> Iterator[Stage]:
        """Yield the instances during and after an action."""
        args, endpoint = action.args, str(action.args.get("endpoint", ""))
        config = self.configs.get(str(args.get("config", "")), {})
        match action.kind:
            case "create-endpoint-config":
                settings = args.get("settings", {})
                variants = (*args["variants"], *settings.get("ShadowProductionVariants", ()))
                self.configs[str(args["config"])] = _fleet(variants, self.base, settings)
            case "create-endpoint":
                self.fleets[endpoint] = config
            case "update-endpoint":
                after = _retained(self.fleets.get(endpoint, {}), config)
                yield self.stage(_beside(after, args.get("policy", {})))
                self.fleets[endpoint] = after
            case "delete-endpoint" | "delete-shared-endpoint":
                self.fleets.pop(endpoint, None)
            case "register-scaling" | "deregister-scaling":
                self.fleets[endpoint] = _scaled(self.fleets.get(endpoint, {}), args)
        yield self.stage()


def _running(endpoint: Endpoint, base: str, limits: Mapping[str, int]) -> Fleet:
    fleet = _fleet((*endpoint.variants, *endpoint.shadows), base, endpoint.settings)
    return {
        name: replace(
            variant,
            machines=replace(
                variant.machines,
                count=endpoint.counts.get(name, variant.machines.count),
                most=limits.get(variant.machines.revision) or variant.machines.most,
            ),
        )
        for name, variant in fleet.items()
    }


def _most(autoscaling: Mapping[str, Any] | None) -> int:
    return int(autoscaling["max"]) if autoscaling else 0


def _fleet(variants: Iterable[Spec], base: str, settings: Mapping[str, Any]) -> Fleet:
    capture = settings.get(CAPTURE)
    return {
        str(spec["VariantName"]): replace(_variant(spec, base), capture=capture)
        for spec in variants
    }


def _variant(spec: Spec, base: str) -> Variant:
    revision = revision_id_of(str(spec.get("ModelName", "")), base) or str(spec["VariantName"])
    if "ServerlessConfig" in spec:
        return Variant(Machines(revision, machines_text(spec), 0), 0)
    kind = str(spec.get("InstanceType", "instances of several types"))
    count = int(spec.get("InitialInstanceCount", 1))
    return Variant(Machines(revision, kind, count), count)


def _configured(variant: Variant) -> tuple[int, object]:
    return variant.configured, variant.capture


def _retained(before: Fleet, after: Fleet) -> Fleet:
    """Return the new variants with the counts that the update retains (`Performer`).

    An update retains what automatic scaling has changed, unless a configured number or the data
    capture changes.
    """
    both = before.keys() & after.keys()
    if any(_configured(before[name]) != _configured(after[name]) for name in both):
        return after
    kept = {name: before[name].machines.count for name in both}
    return {
        name: replace(new, machines=replace(new.machines, count=kept.get(name, new.configured)))
        for name, new in after.items()
    }


def _scaled(fleet: Fleet, args: Mapping[str, Any]) -> Fleet:
    """Return a fleet with one variant registered for automatic scaling, or deregistered."""
    variant = fleet.get(str(args["variant"]))
    if variant is None:
        return fleet
    machines, most = variant.machines, int(args.get("maximum", 0))
    count = min(max(machines.count, int(args["minimum"])), most) if most else machines.count
    scaled = replace(variant, machines=replace(machines, count=count, most=most))
    return {**fleet, str(args["variant"]): scaled}


def _beside(after: Fleet, policy: Mapping[str, Any]) -> Iterator[Machines]:
    """Yield the new instances that run beside the old ones during an update."""
    batch = policy.get("RollingUpdatePolicy", {}).get("MaximumBatchSize")
    for variant in after.values():
        new = variant.machines
        yield replace(new, count=_batch(new.count, batch)) if batch else new


def _batch(count: int, size: Mapping[str, Any]) -> int:
    value = int(size["Value"])
    return ceil(count * value / 100) if size["Type"] == "CAPACITY_PERCENT" else min(value, count)
