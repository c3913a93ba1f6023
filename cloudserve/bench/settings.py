"""How a server is asked: the request, the credentials, the options of a server of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
    devices: tuple[str, ...] = ()
    """The replicas of the model, as `--devices` of the server."""
    use_grpc: bool = False
