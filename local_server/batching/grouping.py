"""The runs of a server that batches by itself: each request gets the answer it would get alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..defects import DEFECTS
from .execution import Observe, Run
from .padding import merge
from .parameters import BatchingParameters
from .requests import Outcome, Task, Tensors, join, settle
from .row_independence import are_independent, vary
from .splitting import split_outputs

_UNLIMITED = BatchingParameters(max_batch_size=2**63 - 1)
_ATTEMPTS = 8
"""How many tests without a verdict show that a signature's requests cannot be compared."""


class Grouping:
    """Runs the tasks of one signature and shape, together once that is proven to be harmless."""

    def __init__(self, run: Run, decided: Callable[[bool], None]) -> None:
        """Take the run of the model, and a function to call with the verdict."""
        self._run = run
        self._decided = decided
        self._attempts = 0
        self._is_decided = False
        self.is_proven = False

    def process(self, tasks: Sequence[Task], observe: Observe) -> None:
        """Run tasks and settle each; those without a waiting caller are dropped."""
        live = [task for task in tasks if not task.completion.gone]
        for task in live:
            task.completion.begin()
        completions = [task.completion for task in live]
        if self.is_proven:
            settle(zip(completions, self._together(live, observe), strict=True))
            return
        outcomes = [self._alone(task, observe) for task in live]
        settle(zip(completions, outcomes, strict=True))
        if live and not isinstance(outcomes[0], Exception) and not self._is_decided:
            self._compare(live, outcomes[0])

    def _together(self, tasks: Sequence[Task], observe: Observe) -> list[Outcome]:
        """Run tasks in one batch; one that fails is run again in halves."""
        if len(tasks) <= 1:
            return [self._alone(task, observe) for task in tasks]
        try:
            inputs, _ = merge(tasks, _UNLIMITED)
            observe(tasks, 0)
            join(tasks)
            return [*split_outputs(self._run(inputs), [task.size for task in tasks], 0)]
        except Exception as error:  # noqa: BLE001 - it may be the error of one of them alone
            DEFECTS.report("the run of a batch", error)
        half = len(tasks) // 2
        return self._together(tasks[:half], observe) + self._together(tasks[half:], observe)

    def _alone(self, task: Task, observe: Observe) -> Outcome:
        try:
            observe([task], 0)
            join([task])
            return self._run(task.inputs)
        except Exception as error:  # noqa: BLE001 - the thread has other models' requests to run
            return error

    def _compare(self, tasks: Sequence[Task], outputs: Tensors) -> None:
        first, other = tasks[0].inputs, tasks[-1].inputs
        second = other if _differ(first, other) else vary(first)
        self._attempts += 1
        try:
            if second is not None:
                self._decide(is_proven=are_independent(self._run, first, outputs, second))
                return
        except Exception as error:  # noqa: BLE001 - the second request, or one that was made up
            DEFECTS.report("the comparison of two requests", error)
        if self._attempts >= _ATTEMPTS:
            self._decide(is_proven=False)

    def _decide(self, *, is_proven: bool) -> None:
        self.is_proven, self._is_decided = is_proven, True
        self._decided(is_proven)


def _differ(one: Tensors, other: Tensors) -> bool:
    return any(not np.array_equal(one[name], other[name]) for name in one)
