"""Limits of a JSON request beyond its own size."""

from __future__ import annotations

from dataclasses import dataclass

_BYTES_AT_ONCE = 2**20  # counting holds the GIL


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """The limits of a REST request's body. A regular array of plain numbers has only the first."""

    inflated_bytes: int = 100 * 2**20
    """The inflated size of a gzip body: net_http's `ZLib::kMaxUncompressedBytes`."""
    values: int = 2**22
    """The number of Python values: each takes 8 bytes, or 30 to 60 if it is a string."""

    @property
    def lists(self) -> int:
        """Return the limit of lists and objects: each takes about 100 bytes, and a microsecond."""
        return self.values // 2

    def are_passed_by(self, body: bytes) -> bool:
        """Return whether a document has more values, or more lists and objects.

        Commas and brackets are counted, including those in strings: 100 MB of empty lists are
        100 KB of gzip.
        """
        if len(body) <= self.lists:
            return False
        lists = values = 0
        for start in range(0, len(body), _BYTES_AT_ONCE):
            end = start + _BYTES_AT_ONCE
            lists += body.count(b"[", start, end) + body.count(b"{", start, end)
            values += body.count(b",", start, end)
            if lists > self.lists or values > self.values:
                return True
        return False


DEFAULT_LIMITS = JsonLimits()
