"""Interpreters that are lent to one thread each.

Source: tensorflow_serving/servables/tensorflow/tflite_interpreter_pool.cc; here an interpreter is
made when it is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import closed
from ..types import Tensor
from .runner import Runner


class Pool:
    """At most so many interpreters of a model."""

    def __init__(self, make: Callable[[], Runner], most: int) -> None:
        """Make the first interpreter; raises what `make` raises."""
        self._make = make
        self._idle = [make()]
        self._unmade = most - 1
        self._free = threading.Condition()
        self._is_open = True

    @contextmanager
    def lent(self, arrays: Sequence[Tensor]) -> Iterator[Runner]:
        """Lend an interpreter for these inputs, when one is free. Raises StatusError if closed."""
        runner = self._take()
        try:
            if runner is None or runner.is_oversized(arrays):
                runner = None
                runner = self._make()
            yield runner
        finally:
            self._give_back(runner)

    def close(self) -> None:
        """Let the interpreters go: each is freed with the call that runs in it."""
        with self._free:
            self._is_open = False
            self._idle.clear()
            self._free.notify_all()

    def _take(self) -> Runner | None:
        """Return an idle interpreter; None if one may be made."""
        with self._free:
            while self._is_open:
                if self._idle:
                    return self._idle.pop()
                if self._unmade:
                    self._unmade -= 1
                    return None
                self._free.wait()
        raise closed()

    def _give_back(self, runner: Runner | None) -> None:
        with self._free:
            if runner is None:
                self._unmade += 1
            elif self._is_open:
                self._idle.append(runner)
            self._free.notify()
