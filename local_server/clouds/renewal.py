"""Certificates of the offline clouds that are renewed while they run.

The authority keeps its key and its name: clients that trust its first certificate trust what it
issues later, until that certificate expires. Open connections are not affected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudserve.errors import CloudserveError

from ..transport.tls import Tls
from .certificates import Authority, open_authority, renew

logger = logging.getLogger(__name__)

_RETRIED = timedelta(hours=1)
"""How long after a failed renewal the next one is tried."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RenewedAuthority:
    """The authority of a folder, whose certificate is renewed before it expires."""

    def __init__(
        self, folder: Path, domains: Sequence[str] = (), now: Callable[[], datetime] = _utc_now
    ) -> None:
        """Open the authority; raises as `open_authority` does. Blocks."""
        self._folder = folder
        self._domains = domains
        self._now = now
        self._lock = threading.Lock()
        self._authority = open_authority(folder, domains)
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def current(self) -> Authority:
        """Return the authority: the same object until it is renewed. Any thread may call it."""
        with self._lock:
            now = self._now()
            if self._authority.expires_soon(now) and now >= self._not_before:
                self._renew(now)
            return self._authority

    def _renew(self, now: datetime) -> None:
        try:
            self._authority = renew(self._folder, self._authority, self._domains, now)
        except (CloudserveError, OSError) as error:
            self._not_before = now + _RETRIED
            logger.warning(
                "the certificate of %s cannot be renewed, and ends at %s: %s",
                self._folder,
                self._authority.certificate.not_valid_after_utc.isoformat(),
                error,
            )
        else:
            logger.info("renewed the certificate of %s", self._folder)


class RenewedCertificate:
    """A server's certificate for some names (a `TlsSource`), issued again with its authority's."""

    def __init__(self, authority: RenewedAuthority, names: Sequence[str]) -> None:
        """Issue the first certificate."""
        self._authority = authority
        self._names = names
        self._lock = threading.Lock()
        self._signer = authority.current()
        self._tls = self._signer.issue(names)

    def current(self) -> Tls:
        """Return the certificate for the next client."""
        signer = self._authority.current()
        with self._lock:
            if signer is not self._signer:
                self._tls, self._signer = signer.issue(self._names), signer
            return self._tls
