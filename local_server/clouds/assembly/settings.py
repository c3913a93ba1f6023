"""How the offline clouds answer: the options of the command, read and checked."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve.local.servers import EmulateCommand

from ...protocols.middleware.foreign import is_loopback
from ...runtime.loading.denied_ops import read_denied_ops
from ...runtime.options import SessionOptions
from ..aws.protocol.region_check import KnowsRegion, exists
from ..aws.quotas import read_limits
from ..faults.rules import RuleSet, load_rules
from ..latency import Latency
from ..permissions import Permissions, read_permissions
from ..pointing import KEYS


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a command, and what its files and names stand for."""

    command: EmulateCommand
    latency: Latency
    """How long operations take, and the clock that is used everywhere."""
    faults: RuleSet
    permissions: Permissions
    """What callers may do."""
    limits: Mapping[str, int]
    """How many instances of a type the endpoints of a region may have."""
    session: SessionOptions
    rng: random.Random
    """Splits traffic between variants."""
    knows_region: KnowsRegion
    """Returns whether AWS has a region."""

    @property
    def is_strict(self) -> bool:
        """Return whether requests must be signed, or have a token."""
        return self.command.auth == "strict" or not is_loopback(self.command.host)

    @property
    def keys(self) -> Mapping[str, str] | None:
        """Return the secrets by access key that requests must be signed with; None for any."""
        return KEYS if self.is_strict else None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names that requests may be sent to, beside loopback ones."""
        return (*self.command.allow_hosts, self.command.host)

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.latency.clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class Places:
    """Where one emulator keeps its files, and where it is called."""

    data: Path
    credentials: Path
    """The folder of the files that point clients at the emulator."""
    own_url: Callable[[], str]
    """Returns the base URL for the processes that the emulator starts, once it listens."""


def read_settings(
    command: EmulateCommand,
    *,
    rng: random.Random | None = None,
    latency: Latency | None = None,
    permissions: Permissions | None = None,
    knows_region: KnowsRegion = exists,
) -> Settings:
    """Read the files that a command names; raises UserError for those that cannot be read.

    `latency` and `permissions` are by default those of the command.
    """
    return Settings(
        command=command,
        latency=latency or Latency.named(command.latency),
        faults=load_rules(command.faults) if command.faults else RuleSet(),
        permissions=permissions or read_permissions(command.deny, command.policies),
        limits=read_limits(command.limits),
        session=SessionOptions(denied_ops=read_denied_ops(command.deny_ops)),
        rng=rng or random.Random(),  # noqa: S311 - traffic shares, no secret
        knows_region=knows_region,
    )
