"""Results that arrive later in an event loop's thread, without a task.

A task, a future and a timeout cost more than the run of a small model. A `Deferred` calls its
callbacks directly when it is settled; a coroutine may await it, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar

_T = TypeVar("_T")
_U = TypeVar("_U")

Outcome: TypeAlias = _T | BaseException
"""A result, or the error in its place."""


class Deferred(Generic[_T]):
    """A result that arrives later. All methods are called in the thread of one event loop."""

    __slots__ = ("_callbacks", "_outcome", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self._outcome: Any = None
        self._callbacks: list[Callable[[Outcome[_T]], None]] = []

    @property
    def outcome(self) -> Outcome[_T]:
        """Return the result or the error, once it is done."""
        assert self.is_done
        outcome: Outcome[_T] = self._outcome
        return outcome

    def settle(self, outcome: Outcome[_T]) -> None:
        """Set the outcome and call the callbacks; only the first outcome counts."""
        if self.is_done:
            return
        self.is_done, self._outcome = True, outcome
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(outcome)

    def then(self, callback: Callable[[Outcome[_T]], None]) -> None:
        """Call a function, which must not raise, with the outcome; immediately if it is done."""
        if self.is_done:
            callback(self._outcome)
        else:
            self._callbacks.append(callback)

    def map(self, function: Callable[[Outcome[_T]], _U]) -> Deferred[_U]:
        """Return the deferred result of a function of the outcome, or the error that it raises.

        Cancelling it cancels this one.
        """
        mapped: _Mapped[_U] = _Mapped(self)

        def settle(outcome: Outcome[_T]) -> None:
            if mapped.is_done:
                return
            try:
                result: Outcome[_U] = function(outcome)
            except Exception as error:  # noqa: BLE001 - the caller gets it
                result = error
            mapped.settle(result)

        self.then(settle)
        return mapped

    def cancel(self) -> None:
        """Settle with CancelledError: the caller is gone."""
        self.settle(asyncio.CancelledError())

    def __await__(self) -> Generator[Any, None, _T]:
        if not self.is_done:
            arrived = asyncio.get_running_loop().create_future()
            self.then(lambda _: None if arrived.done() else arrived.set_result(None))
            try:
                yield from arrived
            except asyncio.CancelledError:
                self.cancel()
                raise
        outcome: Any = self._outcome
        if isinstance(outcome, BaseException):
            raise outcome
        result: _T = outcome
        return result


class _Mapped(Deferred[_T]):
    __slots__ = ("_source",)

    def __init__(self, source: Deferred[Any]) -> None:
        super().__init__()
        self._source = source

    def cancel(self) -> None:
        """Settle with CancelledError, and cancel the source."""
        super().cancel()
        self._source.cancel()


def in_loop(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: Any) -> bool:
    """Call a function in a loop's thread, from any thread; return False if the loop is closed."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        return False
    return True


def outcome_of(task: asyncio.Task[_T]) -> Outcome[_T]:
    """Return the result or the error of a task that is done."""
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()
