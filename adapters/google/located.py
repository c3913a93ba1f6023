"""A Cloud Storage bucket that can say where it is."""

from __future__ import annotations

from .bucket import RETRY
from .storage import GcsBlobs
from .xml_api import TIMEOUT


class LocatedBlobs(GcsBlobs):
    """One bucket, with its location: a region, a pair of them (NAM4) or a continent (US)."""

    def location(self) -> str | None:
        """Return the bucket's location in capitals, or None while there is no bucket."""
        with self._translated(f"look for the bucket {self.url}"):
            found = self._client.lookup_bucket(self._name, timeout=TIMEOUT, retry=RETRY)
        return None if found is None else str(found.location or "").upper()
