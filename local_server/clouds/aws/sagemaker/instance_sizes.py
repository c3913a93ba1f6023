"""What an instance type has: CPU cores, memory, accelerators.

Source: Amazon EC2 User Guide, "Instance type specifications": a general purpose instance (M) has
4 GiB for each vCPU, a compute optimized one (C) 2, a memory optimized one (R) 8; the others are
listed here. A type that is missing is refused by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_KEPT_BACK = 0.1
_MB = 1024
_GIB_PER_CORE = MappingProxyType({"c": 2.0, "m": 4.0, "r": 8.0})
_CORES = MappingProxyType({"medium": 1, "large": 2, "xlarge": 4})
_REGULAR = re.compile(r"ml\.([cmr])\d+[a-z]*\.(medium|large|(\d*)xlarge)")
_SMALL = MappingProxyType({"xlarge": (4, 16, 1), "2xlarge": (8, 32, 1), "4xlarge": (16, 64, 1)})
_G5: Mapping[str, tuple[float, float, int]] = MappingProxyType(
    {
        **_SMALL,
        "8xlarge": (32, 128, 1),
        "12xlarge": (48, 192, 4),
        "16xlarge": (64, 256, 1),
        "24xlarge": (96, 384, 4),
        "48xlarge": (192, 768, 8),
    }
)
_OTHERS: Mapping[str, Mapping[str, tuple[float, float, int]]] = MappingProxyType(
    {
        "t2": {
            "medium": (2, 4, 0),
            "large": (2, 8, 0),
            "xlarge": (4, 16, 0),
            "2xlarge": (8, 32, 0),
        },
        "c4": {
            "large": (2, 3.75, 0),
            "xlarge": (4, 7.5, 0),
            "2xlarge": (8, 15, 0),
            "4xlarge": (16, 30, 0),
            "8xlarge": (36, 60, 0),
        },
        "g4dn": {name: size for name, size in _G5.items() if name not in {"24xlarge", "48xlarge"}},
        "g5": _G5,
        "g6": _G5,
        "g6e": {
            "xlarge": (4, 32, 1),
            "2xlarge": (8, 64, 1),
            "4xlarge": (16, 128, 1),
            "8xlarge": (32, 256, 1),
            "12xlarge": (48, 384, 4),
            "16xlarge": (64, 512, 1),
            "24xlarge": (96, 768, 4),
            "48xlarge": (192, 1536, 8),
        },
        "p3": {"2xlarge": (8, 61, 1), "8xlarge": (32, 244, 4), "16xlarge": (64, 488, 8)},
        "p4d": {"24xlarge": (96, 1152, 8)},
        "p4de": {"24xlarge": (96, 1152, 8)},
        "p5": {"4xlarge": (16, 256, 1), "48xlarge": (192, 2048, 8)},
        "p5e": {"48xlarge": (192, 2048, 8)},
        "p5en": {"48xlarge": (192, 2048, 8)},
        "inf1": {
            "xlarge": (4, 8, 1),
            "2xlarge": (8, 16, 1),
            "6xlarge": (24, 48, 4),
            "24xlarge": (96, 192, 16),
        },
        "inf2": {
            "xlarge": (4, 16, 1),
            "8xlarge": (32, 128, 1),
            "24xlarge": (96, 384, 6),
            "48xlarge": (192, 768, 12),
        },
    }
)


@dataclass(frozen=True, slots=True)
class Size:
    """The resources of an instance, or of a copy of a model that needs a part of them."""

    cores: float
    memory: float
    """In MB."""
    accelerators: float = 0.0

    def holds(self, other: Size) -> bool:
        """Return whether another fits into what is free of this one."""
        return (
            other.cores <= self.cores
            and other.memory <= self.memory
            and other.accelerators <= self.accelerators
        )

    def less(self, other: Size) -> Size:
        """Return what is free when another has its part."""
        return Size(
            self.cores - other.cores,
            self.memory - other.memory,
            self.accelerators - other.accelerators,
        )


def size_of(instance_type: str) -> Size | None:
    """Return what models can have of an instance; None if the type is not known here.

    The service keeps a part of the memory, whose size is not documented; here it is a tenth.
    """
    known = _known(instance_type)
    if known is None:
        return None
    cores, gibibytes, accelerators = known
    return Size(cores, gibibytes * _MB * (1 - _KEPT_BACK), accelerators)


def _known(instance_type: str) -> tuple[float, float, float] | None:
    _, family, name = instance_type.split(".")
    listed = _OTHERS.get(family)
    if listed is not None:
        return listed.get(name)
    match = _REGULAR.fullmatch(instance_type)
    if match is None:
        return None
    cores = _CORES.get(match[2]) or 4 * int(match[3])
    return cores, cores * _GIB_PER_CORE[match[1]], 0
