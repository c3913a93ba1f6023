"""The bytes of messages that the requests of a connection, and of a server, hold together."""

from __future__ import annotations


class Memory:
    """A limited number of bytes, which may be a share of another such number."""

    __slots__ = ("_limit", "_whole", "used")

    def __init__(self, limit: int, whole: Memory | None = None) -> None:
        """Allow `limit` bytes, and no more than `whole` has left."""
        self._limit = limit
        self._whole = whole
        self.used = 0

    def take(self, count: int) -> bool:
        """Count bytes as used; return whether there was room for them."""
        if self.used + count > self._limit:
            return False
        if self._whole is not None and not self._whole.take(count):
            return False
        self.used += count
        return True

    def give_back(self, count: int) -> None:
        """Count bytes as unused."""
        self.used -= count
        if self._whole is not None:
            self._whole.give_back(count)
