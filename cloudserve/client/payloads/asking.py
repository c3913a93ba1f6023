"""The payload that a command line gives: one of images, texts, examples or arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cloudserve.client.payloads.files import only_input, read_arrays, read_example, read_image
from cloudserve.client.payloads.payload import choose_signature
from cloudserve.errors import UserError
from cloudserve.savedmodel.signature import Signature

T = TypeVar("T")


class Described(Protocol):
    """A client that knows its model's signatures."""

    @property
    def where(self) -> str:
        """Return the address."""
        ...

    def signatures(self) -> Sequence[Signature]:
        """Return the signatures; () if they are unknown."""
        ...


@dataclass(frozen=True, slots=True)
class PayloadOptions:
    """What was given; only one of the kinds."""

    images: tuple[Path, ...] = ()
    examples: tuple[str, ...] = ()
    npy: Path | None = None
    texts: tuple[str, ...] = ()
    scale: float = 1.0

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was given."""
        return not self._kinds()

    def check(self, *, has_source: bool) -> None:
        """Raise UserError if several kinds were given, or a scale that divides by nothing."""
        kinds = (*self._kinds(), *(("--input",) if has_source else ()))
        if len(kinds) > 1:
            raise UserError(
                f"{' and '.join(kinds)} are given, and a request has one payload",
                hint="give one of them",
            )
        if not self.scale > 0:
            raise UserError(
                f"a scale of {self.scale:g} is not above 0", hint="--scale 255 gives 0 to 1"
            )

    def inputs(self, client: Described, signature: str) -> Any:
        """Return the payload; raises UserError for one that cannot be read."""
        if self.npy is not None:
            return read_arrays(self.npy)
        if self.examples:
            return [read_example(text) for text in self.examples]
        if self.texts:
            return list(self.texts)
        return self._pixels(client, signature)

    def _pixels(self, client: Described, signature: str) -> Any:
        known = {each.name: each for each in client.signatures()}
        if not known:
            raise UserError(
                "the model's signatures are not known here, so images have no shape",
                where=client.where,
                hint="give the values by --npy FILE",
            )
        chosen = choose_signature(known, signature, client.where)
        spec = only_input(chosen, client.where)
        rows = [read_image(file, spec, self.scale) for file in self.images]
        return rows if isinstance(rows[0], bytes) else _stacked(rows)

    def _kinds(self) -> tuple[str, ...]:
        options = {
            "--image": self.images,
            "--example": self.examples,
            "--npy": self.npy,
            "--text": self.texts,
        }
        return tuple(name for name, value in options.items() if value)


def _stacked(rows: list[Any]) -> Any:
    import numpy as np

    try:
        return np.stack(rows)
    except ValueError as error:
        raise UserError(
            "the images have different sizes, and the input takes any",
            hint="send them one by one, or resized to the same size",
        ) from error


def repeated(ask: Callable[[], T], times: int) -> tuple[T, list[float]]:
    """Ask several times, one after the other; return the last answer, and the seconds of each."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - begin)
    return answer, seconds
