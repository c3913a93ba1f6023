"""The gates of a target, as the project file has them: `targets.NAME.gates`.

gates:
  contract: true
  load: true
  approval:
    require_other: true
  golden:
    file: golden/{model}.jsonl
    relative: 1e-5
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FIELD = "gates"
NAMES = ("contract", "load", "approval", "golden")
"""The gates, in the order in which they are checked."""


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """The gate *approval*: a person has approved the revision with `cloudserve approve`."""

    require_other: bool = False
    """Whether the person must be another one than who deployed the revision."""


@dataclass(frozen=True, slots=True)
class GoldenSettings:
    """The gate *golden*: recorded requests have the recorded answers."""

    file: str
    """The golden file, relative to the project file; `{model}` is replaced by the model's name."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Bounds that replace those of the file: `absolute`, `relative`, `ulp`."""
    accuracy: float | None = None
    """The least share of labelled instances that are answered right, 0 to 1."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The gates of one target."""

    contract: bool = True
    load: bool = True
    approval: ApprovalSettings | None = None
    golden: GoldenSettings | None = None

    def with_other(self) -> GateSettings:
        """Return the gates with an approval by another person than who deployed the revision."""
        return replace(self, approval=ApprovalSettings(require_other=True))
