"""What came through the proxy: the requests that were answered, and the hosts that were not."""

from __future__ import annotations

import logging
from collections import Counter

from cloudserve.local.interception import Interception

logger = logging.getLogger(__name__)

_MOST_HOSTS = 1000
"""The hosts that are counted by name; further ones are counted as others."""
_OTHERS = "other hosts"


class Traffic:
    """Counts requests; each is logged when its host is counted for the first time."""

    def __init__(self) -> None:
        self._answered = 0
        self._refused: Counter[str] = Counter()
        self._unavailable: Counter[str] = Counter()
        self._distrusted: Counter[str] = Counter()

    def answer(self) -> None:
        """Count a request that an offline service answers."""
        self._answered += 1

    def refuse(self, host: str, reason: str) -> None:
        """Count a request to a host outside the rehearsal."""
        if _count(self._refused, host):
            logger.warning("refused: %s", reason)

    def miss(self, service: str) -> None:
        """Count a request to a service of a cloud that is not available offline."""
        if _count(self._unavailable, service):
            logger.warning("%s is not available offline", service)

    def distrust(self, host: str) -> None:
        """Count a client that does not trust the proxy's certificate authority."""
        if _count(self._distrusted, host):
            logger.warning("the client of %s trusts other certificate authorities", host)

    def report(self) -> Interception:
        """Return the counts."""
        counts = (self._refused, self._unavailable, self._distrusted)
        return Interception(self._answered, *map(dict, counts))


def _count(counts: Counter[str], name: str) -> bool:
    """Count a name; return whether it is new."""
    is_new = name not in counts
    name = name if not is_new or len(counts) < _MOST_HOSTS else _OTHERS
    counts[name] += 1
    return is_new and name != _OTHERS
