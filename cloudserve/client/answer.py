"""The answer to a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudserve.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The outputs of a model, and what answered."""

    outputs: Mapping[str, NDArray[Any]]
    """Arrays by the names of the signature's outputs; strings are object arrays of bytes.

    A model whose signature is unknown has one output `predictions`, or those that its rows name.
    """
    version: str
    """What answered: a version number, on a target a revision; "" if nothing names it.

    The parts of a batch that was split may have different ones: `1, 2`.
    """
    target: str
    """The address or the target that was asked."""
    seconds: float
    """From the call to the answer, with all parts and retries."""
    requests: int = 1
    """The requests that a batch was split into."""
    attempts: int = 1
    """The requests that were sent, with those that were sent again."""

    @property
    def array(self) -> NDArray[Any]:
        """Return the only output; raises UserError if there are several."""
        if len(self.outputs) != 1:
            raise UserError(
                f"the model has {len(self.outputs)} outputs: {', '.join(self.outputs)}",
                where=self.target,
                hint='name one: `answer.outputs["NAME"]`',
            )
        return next(iter(self.outputs.values()))

    @property
    def predictions(self) -> list[Any]:
        """Return one value per row as TensorFlow Serving's JSON has them, bytes as they are.

        A model of several outputs has a mapping by output for each row. Raises UserError if they do
        not have the same number of rows.
        """
        columns = {name: array.tolist() for name, array in self.outputs.items()}
        if len(columns) == 1:
            (only,) = columns.values()
            return only if isinstance(only, list) else [only]
        sizes = {array.shape[:1] for array in self.outputs.values()}
        if len(sizes) > 1 or () in sizes:
            raise UserError(
                "the outputs have different numbers of rows: "
                + ", ".join(f"{name} {list(a.shape)}" for name, a in self.outputs.items()),
                where=self.target,
                hint='ask by column: `answer.outputs["NAME"]`, or {"inputs": …} in JSON',
            )
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]
