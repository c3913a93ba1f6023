"""A model with a replica on each of several devices. Imports neither TensorFlow nor numpy."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from .types import LoadedModel, Tensor, definitions_of


class ReplicatedModel:
    """A LoadedModel whose calls go to the replica that runs the fewest, of equal ones in turn.

    Each replica has its own variables: one that a signature changes changes in the replica that
    the call went to.
    """

    def __init__(self, replicas: Sequence[LoadedModel]) -> None:
        self.replicas = tuple(replicas)
        self._lock = threading.Lock()
        self._running = [0] * len(self.replicas)
        self._turn = list(range(len(self.replicas)))
        """The replicas, those that were chosen longest ago first."""
        self.signatures = self.replicas[0].signatures
        self.all_signatures = self.replicas[0].all_signatures
        self.definitions = definitions_of(self.replicas[0])

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature; see LoadedModel."""
        index = self._take()
        try:
            return self.replicas[index].run(signature, inputs, wanted)
        finally:
            self._give_back(index)

    def close(self) -> None:
        """Close every replica, whatever closing another raises."""
        with ExitStack() as stack:
            for replica in self.replicas:
                stack.callback(replica.close)

    def _take(self) -> int:
        with self._lock:
            index = min(self._turn, key=self._running.__getitem__)
            self._turn.remove(index)
            self._turn.append(index)
            self._running[index] += 1
            return index

    def _give_back(self, index: int) -> None:
        with self._lock:
            self._running[index] -= 1


def replicas_of(model: LoadedModel) -> tuple[LoadedModel, ...]:
    """Return the replicas of a model, or of the one that a wrapper says are its `replicas`.

    Calls one after the other go to each in turn.
    """
    replicas: tuple[LoadedModel, ...] = getattr(model, "replicas", (model,))
    return replicas
