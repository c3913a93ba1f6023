"""A Cloud Storage bucket that can say where it is."""

from __future__ import annotations

from cloudserve.errors import RemoteError

from .bucket import RETRY
from .parts import DENIED
from .storage import GcsBlobs
from .xml_api import TIMEOUT


class LocatedBlobs(GcsBlobs):
    """One bucket, with its location: a region, a pair of them (NAM4) or a continent (US)."""

    def location(self) -> str | None:
        """Return the bucket's location in capitals; None where there is none, or none is told.

        To use objects one need not be allowed `storage.buckets.get`.
        """
        try:
            with self._translated(f"look for the bucket {self.url}"):
                found = self._client.lookup_bucket(self._name, timeout=TIMEOUT, retry=RETRY)
        except RemoteError as error:
            if error.status == DENIED:
                return None
            raise
        return None if found is None else str(found.location or "").upper()
