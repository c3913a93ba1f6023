"""One batch from its tasks to their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..runtime.types import Tensor
from .padding import PaddingError, merge
from .parameters import BatchingParameters
from .splitting import split_outputs
from .tasks import Outcome, Task, Tensors, own_copy, settle, timed_out

Run = Callable[[Tensors], dict[str, Tensor]]
"""Runs the model once, from tensors by name to tensors by name."""

Tell = Callable[[Sequence[Task], int], None]
"""Told of the tasks and the rows of padding of a batch that goes to the model."""


def execute(
    tasks: Sequence[Task], run: Run, parameters: BatchingParameters, now: float, tell: Tell
) -> None:
    """Run tasks as one batch and settle each of them; an error is every task's, and no other's.

    Tasks that nobody waits for any more are left out. Where one is so long that padding the others
    to it takes too much memory, each runs alone.
    """
    wanted = [task for task in tasks if not task.ticket.gone]
    if not wanted:
        return
    outcomes: Sequence[Outcome]
    try:
        outcomes = _run(wanted, run, parameters, now, tell)
    except PaddingError as error:
        if len(wanted) > 1:
            for task in wanted:
                execute([task], run, parameters, now, tell)
            return
        outcomes = [error]
    except Exception as error:  # noqa: BLE001 - the thread has other models' batches to run
        outcomes = [own_copy(error) for _ in wanted]
    settle(zip((task.ticket for task in wanted), outcomes, strict=True))


def _run(
    tasks: Sequence[Task], run: Run, parameters: BatchingParameters, now: float, tell: Tell
) -> list[dict[str, Tensor]]:
    if all(task.deadline <= now for task in tasks):
        raise timed_out()
    for task in tasks:
        task.ticket.begin()
    inputs, padding = merge(tasks, parameters)
    tell(tasks, padding)
    return split_outputs(run(inputs), [task.size for task in tasks], padding)
