"""What a JSON request may take, whatever its own size."""

from __future__ import annotations

from dataclasses import dataclass

_BYTES_AT_ONCE = 2**20  # counting holds Python's lock


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """The bounds of a REST request's body. A regular array of plain numbers has the first alone."""

    inflated_bytes: int = 100 * 2**20
    """What a gzip body may unfold to: net_http's `ZLib::kMaxUncompressedBytes`."""
    values: int = 2**22
    """How many values may become Python's: each takes 8 bytes, and 30 to 60 if it is a string."""

    @property
    def lists(self) -> int:
        """Return how many lists and objects may: each takes about 100 bytes, and a microsecond."""
        return self.values // 2

    def are_passed_by(self, body: bytes) -> bool:
        """Say whether a document has more values, or more lists and objects.

        They are counted by commas and brackets, those in strings among them: 100 MB of empty lists
        are 100 KB of gzip.
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
