"""A Cloud Storage bucket that can say where it is."""

from __future__ import annotations

from cloudserve.errors import RemoteError

from .parts import DENIED
from .store import GcsBlobs


class LocatedBlobs(GcsBlobs):
    """One bucket, with its location: a region, a pair of them (NAM4) or a continent (US)."""

    def location(self) -> str | None:
        """Return the bucket's location in upper case; None if it is missing or not readable.

        The use of objects does not require the permission `storage.buckets.get`.
        """
        try:
            bucket = self._look_up()
        except RemoteError as error:
            if error.status == DENIED:
                return None
            raise
        return None if bucket is None else str(bucket.location or "").upper()
