"""The queue between the threads that answer requests and the one that writes them down."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class WorkQueue(Generic[_T]):
    """Items that wait for the writing thread; limited in number and bytes.

    The thread starts with the first item; `work` has to take items until there are no more.
    """

    def __init__(
        self, most_items: int, most_bytes: int, work: Callable[[], None], name: str
    ) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._items: deque[tuple[_T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=work, name=name, daemon=True)

    def put(self, item: _T, size: int) -> bool:
        """Queue an item of so many bytes; return whether there was room for it."""
        with self._changed:
            is_full = len(self._items) >= self._most_items or self._bytes + size > self._most_bytes
            if is_full or self._closed:
                return False
            self._items.append((item, size))
            self._bytes += size
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()
            return True

    def take(self) -> _T | None:
        """Wait for the next item; None if the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if not self._items:
                return None
            item, size = self._items.popleft()
            self._bytes -= size
            return item

    def close(self, seconds: float) -> bool | None:
        """Accept no more items; return whether the queued ones were written within `seconds`.

        None if there never were any.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is None:
            return None
        self._thread.join(seconds)
        return not self._thread.is_alive()
