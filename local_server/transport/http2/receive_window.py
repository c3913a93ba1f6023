"""The bytes of all requests' bodies that the client of a connection may send."""

from __future__ import annotations

from .wire import frames
from .wire.errors import ConnectionFault, ErrorCode
from .write_flow import WriteFlow


class ReceiveWindow:
    """The window of a connection, which is opened again when half of it is used."""

    __slots__ = ("_left", "_out", "_size", "_unreleased")

    def __init__(self, size: int, out: WriteFlow) -> None:
        self._size = self._left = size
        self._out = out
        self._unreleased = 0

    def take(self, count: int) -> None:
        """Count received bytes. Raises ConnectionFault if the client was not allowed so many."""
        self._left -= count
        if self._left < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the window")
        self._unreleased += count
        if self._unreleased * 2 >= self._size:
            self._left += self._unreleased
            self._out.control(frames.window_update(0, self._unreleased))
            self._unreleased = 0
