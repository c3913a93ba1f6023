"""The options of a load test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cloudserve.errors import UserError


class Arrivals(StrEnum):
    """The times between the requests of an open loop."""

    CONSTANT = "constant"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Load:
    """A closed loop of `connections` requests in flight, or an open loop at `rate` a second.

    Raises UserError for values without a meaning.
    """

    connections: int = 16
    """Requests in flight; in an open loop the most."""
    rate: float | None = None
    """Requests a second of an open loop; None for a closed loop."""
    arrivals: Arrivals = Arrivals.CONSTANT
    seconds: float = 10.0
    requests: int | None = None
    """The number of measured requests, instead of `seconds`."""
    warm_up: float = 1.0
    """Seconds of the same load before the measurement, which do not count."""
    timeout: float = 10.0
    """Seconds that a request may take."""

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise UserError(
                f"{self.connections} connections cannot send requests", hint="give at least one"
            )
        if self.rate is not None and not self.rate > 0:
            raise UserError(
                f"a rate of {self.rate:g} requests a second is not positive", hint="such as 100"
            )
        if not self.seconds > 0 or not self.timeout > 0 or self.warm_up < 0:
            raise UserError(
                "the duration and the timeout must be positive", hint="give seconds, such as 10"
            )
        if self.requests is not None and self.requests < 1:
            raise UserError(
                f"{self.requests} requests cannot be measured", hint="give at least one"
            )

    @property
    def is_open(self) -> bool:
        """Return whether requests are sent at a rate, whatever the answers do."""
        return self.rate is not None
