"""The measured cost of a run by its number of rows: where it runs, and how many rows pay.

Sizes are grouped by powers of two. The estimate of a size follows a faster run immediately and
slower ones gradually, because a busy machine makes runs slower, never faster.
"""

from __future__ import annotations

_DRIFT = 0.02
"""The share of a slower run in the next estimate."""
_TRIALS = 3
"""How many runs of a size make an estimate."""
_FAR_SLOWER = 20.0
"""A run that takes so many times its estimate replaces it, unless it is short all the same."""
_RUN_SECONDS = 5e-5
"""What a run costs besides the model: its rows are joined, observed, and divided."""
_GAIN = 0.95
"""A larger batch pays if its cost per row is at most this share of a smaller one's."""
_PATIENCE = 1.5
"""While the cost per row is at most so many times the least, the next larger size is tried."""
_AGAIN = 32
"""After so many choices the next larger size is tried again."""
_LOOP_SECONDS = 2e-3
"""The expected time up to which the event loop runs a batch itself."""


def is_cheap(seconds: float | None) -> bool:
    """Return whether the event loop may run what takes so long; None is unknown."""
    return seconds is not None and seconds <= _LOOP_SECONDS


class RunCosts:
    """The costs of one signature. Any thread may record; a lost update does no harm."""

    __slots__ = ("_choices", "_per_row", "_trials")

    def __init__(self) -> None:
        self._per_row: list[float] = []
        """Seconds per row, by the logarithm of the size."""
        self._trials: list[int] = []
        self._choices = 0

    def record(self, rows: int, seconds: float) -> None:
        """Record a run."""
        index, cost = _index(rows), seconds / max(rows, 1)
        while len(self._per_row) <= index:
            self._trials.append(0)
            self._per_row.append(0.0)
        known = self._per_row[index]
        is_far_slower = cost > _FAR_SLOWER * known and not is_cheap(seconds)
        if not self._trials[index] or cost < known or is_far_slower:
            self._per_row[index] = cost
        else:
            self._per_row[index] = known + _DRIFT * (cost - known)
        self._trials[index] += 1

    def seconds(self, rows: int) -> float | None:
        """Return the expected cost of a run; None if nothing like it was measured."""
        index = _index(rows)
        if index < len(self._trials) and self._trials[index]:
            return self._per_row[index] * rows
        return None

    def seconds_if_alike(self, rows: int) -> float | None:
        """Return the cost of a run whose rows cost no more than those of smaller ones.

        None if no run of at most this size was measured.
        """
        measured = zip(self._per_row[: _index(rows) + 1], self._trials, strict=False)
        least = min([cost for cost, trials in measured if trials], default=None)
        return None if least is None else least * rows

    def best(self, least_rows: int, rows: int) -> int:
        """Return how many of the waiting rows to run together, at least `least_rows`.

        Sizes are tried in increasing order while they may pay, and one size more now and then. The
        rows that wait are divided evenly: a small rest would cost more per row.
        """
        smallest, largest = _index(least_rows), _index(rows)
        chosen, least = smallest, float("inf")
        for index in range(smallest, largest + 1):
            if index >= len(self._trials) or self._trials[index] < _TRIALS:
                return max(least_rows, min(rows, 1 << index))
            cost = self._per_row[index] + _RUN_SECONDS / (1 << index)
            if cost <= _GAIN * least:
                chosen, least = index, cost
            elif cost > _PATIENCE * least:
                break
        self._choices += 1
        if self._choices % _AGAIN == 0:
            chosen += 1
        batches = max(1, round(rows / (1 << chosen)))
        return max(least_rows, -(-rows // batches))


def _index(rows: int) -> int:
    return (max(rows, 1) - 1).bit_length()
