"""How a server is asked: the load, the request, the credentials, the options of our own server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

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
                f"a rate of {self.rate:g} requests a second is not positive",
                hint="give one such as 100",
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


DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class Request:
    """How requests are made if there is no file of them."""

    signature: str = DEFAULT_SIGNATURE
    rows: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes by input alias, for dimensions that the signature leaves open."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is asked."""

    request: Request = field(default_factory=Request)
    payload: Path | None = None
    """A file of JSON requests, instead of generated ones."""
    use_grpc: bool = False
    """For a path: whether its server is asked over gRPC."""
    server_options: Sequence[str] = ()
    """For a path: options of `cloudserve serve`."""
    auth_token_file: Path | None = None
    """Its first token is sent with each request."""
    ca_file: Path | None = None
    """Certificates to trust, in PEM form; by default the system's."""
    catch_signals: bool = False
    """Whether SIGINT and SIGTERM end the measurement with what was measured so far."""


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """How batching parameters are chosen and verified."""

    objective: float
    """The 99th percentile of the latency, in milliseconds."""
    signature: str = DEFAULT_SIGNATURE
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes by input alias; the first size is replaced by the batch's."""
    most_rows: int = 128
    """The largest batch to measure."""
    rate: float | None = None
    """The requests a second to verify; None searches the highest that meets the objective."""
    seconds: float = 3.0
    """The duration of each load."""
    catch_signals: bool = False
    """Whether SIGINT and SIGTERM end a load first, and are raised as KeyboardInterrupt then."""
    devices: tuple[str, ...] = ()
    """The replicas of the model, as `--devices` of the server."""
    use_grpc: bool = False
