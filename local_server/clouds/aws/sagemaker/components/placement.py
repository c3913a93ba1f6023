"""The instances that the copies of components need.

The copies are placed first fit, largest first. The service places them as they come, so a fleet
that is nearly full may lack a place there that this finds.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...protocol.errors import invalid
from ..endpoints.deployments import Variant
from ..instance_sizes import Size, size_of
from .table import ComponentTable

NO_ROOM = (
    "There is not enough hardware resources on the instances for this endpoint to create a copy of"
    " the inference component."
)
"""The service's words, in users' reports of components that failed."""


def instance_size(instance_type: str | None) -> Size:
    """Return what models can have of an instance; raises AwsError for a type unknown here."""
    size = size_of(instance_type) if instance_type else None
    if size is None:
        raise invalid(f"The capacity of {instance_type} is not known offline.")
    return size


def instances_needed(demands: Iterable[Size], size: Size) -> int | None:
    """Return how many instances hold all copies; None if one is larger than an instance."""
    free: list[Size] = []
    largest_first = sorted(demands, key=lambda each: (each.memory, each.cores), reverse=True)
    for demand in largest_first:
        place = next((i for i, each in enumerate(free) if each.holds(demand)), None)
        if place is not None:
            free[place] = free[place].less(demand)
        elif size.holds(demand):
            free.append(size.less(demand))
        else:
            return None
    return len(free)


def demands_on(table: ComponentTable, region: str, endpoint: str, variant: str) -> list[Size]:
    """Return what the components of a variant occupy."""
    hosted = [each for each in table.of_endpoint(region, endpoint) if each.variant == variant]
    return [size for component in hosted for size in component.demands()]


def instance_count(variant: Variant, demands: Iterable[Size]) -> int | None:
    """Return the instances of a variant once these copies are placed; None without room.

    With managed instance scaling there are as many as the copies need, within its bounds.
    """
    needed = instances_needed(demands, instance_size(variant.instance))
    if needed is None:
        return None
    least, most = instance_bounds(variant)
    return max(least, needed) if needed <= most else None


def instance_bounds(variant: Variant) -> tuple[int, int]:
    """Return the least and the greatest number of instances that a variant may have."""
    scaling = variant.scaling or {}
    if scaling.get("Status") != "ENABLED":
        return variant.count, variant.count
    least = scaling.get("MinInstanceCount", variant.count)
    return least, scaling.get("MaxInstanceCount", max(least, variant.count))
