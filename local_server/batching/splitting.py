"""Splitting of large tasks into pieces, and of a batch's outputs into its tasks' rows.

Source: tensorflow_serving/batching/batching_session.cc (`SplitInputTask`, `SplitOutputTensors`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .requests import Completion, Outcome, Task, Tensors, settle


def split_task(task: Task, room: int, limit: int) -> tuple[Task, ...]:
    """Split a task so that the first piece fills `room` rows and no other exceeds `limit`.

    The task is settled when all pieces are, with the first error in their order.
    """
    if task.size <= room:
        return (task,)
    first = room or limit
    bounds = [0, *range(first, task.size, limit), task.size]
    joined = _Joined(task.completion, len(bounds) - 1)
    return tuple(
        replace(
            task,
            inputs={name: array[start:stop] for name, array in task.inputs.items()},
            size=stop - start,
            completion=_Piece(joined, index),
        )
        for index, (start, stop) in enumerate(pairwise(bounds))
    )


def split_outputs(outputs: Tensors, sizes: Sequence[int], padding: int) -> list[dict[str, Tensor]]:
    """Return each task's rows of a batch's outputs, as views; the last `padding` are dropped.

    Raises StatusError (FAILED_PRECONDITION) for an output without exactly one row per input row.
    """
    bounds = [0, *accumulate(sizes)]
    for array in outputs.values():
        check_rows(array, bounds[-1] + padding)
    return [
        {name: array[start:stop] for name, array in outputs.items()}
        for start, stop in pairwise(bounds)
    ]


def check_rows(array: Tensor, rows: int) -> None:
    """Refuse an output without exactly so many rows. Raises StatusError."""
    if array.ndim == 0:
        raise StatusError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
    if array.shape[0] != rows:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors",
        )


class _Joined:
    """The outcomes of a task's pieces, which arrive in any order and from any thread."""

    def __init__(self, completion: Completion, pieces: int) -> None:
        self.completion = completion
        self._lock = threading.Lock()
        self._missing = pieces
        self._outcomes: list[Outcome] = [{}] * pieces

    def put(self, index: int, outcome: Outcome) -> None:
        """Store a piece's outcome; the last one settles the task."""
        with self._lock:
            self._outcomes[index] = outcome
            self._missing -= 1
            missing = self._missing
        if not missing:
            settle([(self.completion, _join(self._outcomes))])


@dataclass(frozen=True, slots=True)
class _Piece:
    """The completion of one piece."""

    whole: _Joined
    index: int

    @property
    def loop(self) -> None:
        """Return None: the last piece settles the task in its loop."""
        return

    @property
    def gone(self) -> bool:
        """Return whether no caller waits for the whole task."""
        return self.whole.completion.gone

    def begin(self) -> None:
        """Record that the whole task starts to run."""
        self.whole.completion.begin()

    def joined(self, rows: int, now: float) -> None:
        """Record the last batch that a piece ran in."""
        self.whole.completion.joined(rows, now)

    def settle(self, outcome: Outcome) -> None:
        """Pass the outcome to the whole task."""
        self.whole.put(self.index, outcome)


def _join(outcomes: Sequence[Outcome]) -> Outcome:
    parts: list[Tensors] = []
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            return outcome
        parts.append(outcome)
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except ValueError:
        # Each batch was padded to its own lengths, so the pieces' outputs may differ in them.
        return StatusError(Code.FAILED_PRECONDITION, "Tensor concat operation failed")
