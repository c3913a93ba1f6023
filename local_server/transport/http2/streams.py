"""The open and closed streams of one connection. Source: RFC 9113, section 5.1."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .stream import Stream
from .wire.errors import ErrorCode, StreamFault, protocol_error

_MAX_ABANDONED = 4096
_MAX_SKIPPED = 64


class Streams:
    """The streams of a connection.

    An abandoned stream was closed by the server before its client had ended it: its frames in
    transit are ignored. Its value is whether RST_STREAM was sent. Skipped identifiers can never be
    used (RFC 9113, section 5.1.1).
    """

    __slots__ = ("_abandoned", "_skipped", "last", "opened")

    def __init__(self) -> None:
        self.opened: dict[int, Stream] = {}
        """The open streams by their numbers."""
        self._abandoned: dict[int, bool] = {}
        self._skipped: deque[range] = deque(maxlen=_MAX_SKIPPED)
        self.last = 0
        """The highest number that a client has used."""

    def __len__(self) -> int:
        return len(self.opened)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self.opened.values()))

    def get(self, number: int) -> Stream | None:
        """Return an open stream."""
        return self.opened.get(number)

    def check_new(self, number: int) -> None:
        """Record the number of a new stream. Raises ConnectionFault for an invalid one."""
        if number % 2 == 0:
            raise protocol_error(f"a client opens stream {number}")
        if number > self.last + 2:
            self._skipped.append(range(self.last + 1, number))
        self.last = number

    def add(self, stream: Stream) -> None:
        """Keep an open stream."""
        self.opened[stream.number] = stream

    def close(self, stream: Stream, *, reset_sent: bool = True) -> None:
        """Remove a stream; frames that its client may still send are ignored."""
        stream.is_closed = True
        if stream.pending:
            stream.pending.clear()
            stream.wake()
        del self.opened[stream.number]
        if not stream.remote_ended:
            self.abandon(stream.number, reset_sent=reset_sent)

    def abandon(self, number: int, *, reset_sent: bool = True) -> None:
        """Ignore further frames of a stream."""
        self._abandoned[number] = reset_sent
        if len(self._abandoned) > _MAX_ABANDONED:
            del self._abandoned[next(iter(self._abandoned))]

    def needs_reset(self, number: int) -> bool:
        """Return whether RST_STREAM must still be sent for an abandoned stream."""
        if self._abandoned.get(number, True):
            return False
        self._abandoned[number] = True
        return True

    def find(self, number: int, what: str) -> Stream | None:
        """Return the stream of a frame, or None if it is abandoned and the frame must be ignored.

        Raises ConnectionFault for a stream that was never opened, StreamFault for one that its
        client has ended.
        """
        stream = self.opened.get(number)
        if stream is not None:
            return stream
        self.check_used(number, what)
        if number in self._abandoned:
            return None
        raise StreamFault(number, ErrorCode.STREAM_CLOSED, f"{what} on a closed stream")

    def check_used(self, number: int, what: str) -> None:
        """Raise ConnectionFault for a stream that was never opened."""
        is_used = 0 < number <= self.last and number % 2 == 1
        if not is_used or any(number in skipped for skipped in self._skipped):
            raise protocol_error(f"{what} on stream {number}, which is not open")
