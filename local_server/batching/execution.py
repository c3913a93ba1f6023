"""The execution of one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..runtime.types import Tensor
from .padding import PaddingError, merge
from .parameters import BatchingParameters
from .requests import Outcome, Task, Tensors, join, own_copy, settle, timed_out
from .splitting import split_outputs

Run = Callable[[Tensors], dict[str, Tensor]]
"""Runs the model once, from tensors by name to tensors by name."""

Observe = Callable[[Sequence[Task], int], None]
"""Called with the tasks of a batch that runs, and its rows of padding."""


def execute(
    tasks: Sequence[Task], run: Run, parameters: BatchingParameters, now: float, observe: Observe
) -> None:
    """Run tasks as one batch and settle each; an error is every task's of the batch.

    Tasks without a waiting caller are dropped. If padding to the longest task would take too much
    memory, each task runs alone.
    """
    live = [task for task in tasks if not task.completion.gone]
    if not live:
        return
    outcomes: Sequence[Outcome]
    try:
        outcomes = _run(live, run, parameters, now, observe)
    except PaddingError as error:
        if len(live) > 1:
            for task in live:
                execute([task], run, parameters, now, observe)
            return
        outcomes = [error]
    except Exception as error:  # noqa: BLE001 - the thread has other models' batches to run
        outcomes = [own_copy(error) for _ in live]
    settle(zip((task.completion for task in live), outcomes, strict=True))


def _run(
    tasks: Sequence[Task], run: Run, parameters: BatchingParameters, now: float, observe: Observe
) -> list[dict[str, Tensor]]:
    if all(task.deadline <= now for task in tasks):
        raise timed_out()
    for task in tasks:
        task.completion.begin()
    inputs, padding = merge(tasks, parameters)
    observe(tasks, padding)
    join(tasks)
    return split_outputs(run(inputs), [task.size for task in tasks], padding)
