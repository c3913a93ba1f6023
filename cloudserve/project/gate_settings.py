"""The gates of a target, as the project file has them: `targets.NAME.gates`.

gates:
  contract: true
  load: true
  approval:
    require_other: true
  golden:
    file: golden/{model}.jsonl
    relative: 1e-5
  parity:
    requests: 20
  latency:
    p99: 80
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FIELD = "gates"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
NAMES = ("contract", "load", "approval", "golden", "parity", "latency")
"""The gates, in the order in which they are checked."""


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """The gate *approval*: a person has approved the revision with `cloudserve approve`."""

    require_other: bool = False
    """Whether the person must not be one who deployed the revision."""


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
class RequestSettings:
    """The requests that a gate sends."""

    file: str = ""
    """A golden file whose requests are sent, as in GoldenSettings; "" for generated ones."""
    requests: int = 20
    """The number of generated requests."""
    seed: int = 0
    """The seed of generated requests."""


@dataclass(frozen=True, slots=True)
class ParitySettings:
    """The gate *parity*: the local server and the deployed revision answer alike."""

    requests: RequestSettings = RequestSettings()
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Bounds of the differences, `absolute`, `relative`, `ulp`; without any, those of the gate."""


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """The gate *latency*: quantiles of the response times are within bounds."""

    bodies: RequestSettings = RequestSettings()
    """The different requests, sent in turns."""
    requests: int = 500
    """The measured requests to each revision."""
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    """The greatest response times, by a name of QUANTILES."""
    times_live: Mapping[str, float] = field(default_factory=dict)
    """The greatest multiples of the live revision's quantiles."""
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The gates of one target."""

    contract: bool = True
    load: bool = True
    approval: ApprovalSettings | None = None
    golden: GoldenSettings | None = None
    parity: ParitySettings | None = None
    latency: LatencySettings | None = None

    def with_other(self) -> GateSettings:
        """Return the gates with an approval by a person who did not deploy the revision."""
        return replace(self, approval=ApprovalSettings(require_other=True))
