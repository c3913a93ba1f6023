"""What `cloudserve emulate --intercept` saw: requests answered offline, and those refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cloudserve.plural import counted

_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class Interception:
    """The requests of a command that came through the proxy."""

    answered: int
    refused: Mapping[str, int] = field(default_factory=dict)
    """The requests to hosts outside the rehearsal, by host."""
    unavailable: Mapping[str, int] = field(default_factory=dict)
    """The requests to services of the clouds that are not available offline, by service."""
    distrusted: Mapping[str, int] = field(default_factory=dict)
    """The connections of clients that do not trust the proxy's certificate authority, by host."""

    def sentences(self) -> Iterator[str]:
        """Yield what a person should know at the end, without full stops."""
        if not (self.answered or self.refused or self.unavailable or self.distrusted):
            yield (
                "no request came through the proxy: the command sent none, or it ignores "
                "HTTPS_PROXY"
            )
            return
        verb = "was" if self.answered == 1 else "were"
        yield f"{counted(self.answered, 'request')} {verb} answered by the offline clouds"
        if self.refused:
            yield _refused(self.refused, "to hosts outside the rehearsal")
        if self.unavailable:
            yield _refused(self.unavailable, "to services that are not available offline")
        if self.distrusted:
            total = counted(sum(self.distrusted.values()), "connection")
            yield (
                f"{total} failed, because the client trusts other certificate authorities: "
                f"{_listed(self.distrusted)}"
            )


def _refused(counts: Mapping[str, int], what: str) -> str:
    total = sum(counts.values())
    verb = "was" if total == 1 else "were"
    return f"{counted(total, 'request')} {what} {verb} refused: {_listed(counts)}"


def _listed(counts: Mapping[str, int]) -> str:
    names = sorted(counts)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
