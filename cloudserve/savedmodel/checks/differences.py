"""Differences between what two versions of a model answer, and their verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """The requests of the live version's clients that a difference breaks."""

    NONE = "compatible"
    SOME = "partial"
    ALL = "breaking"


_ORDER = tuple(Effect)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the signatures of two versions."""

    signature: str
    text: str
    """A sentence without a full stop, such as `input x: dtype changes from float32 to int32`."""
    effect: Effect = Effect.NONE
    answered: str = ""
    """The requests that are answered as before, if the effect is SOME."""

    @property
    def breaking(self) -> bool:
        """Return whether requests can fail, or get another form of response."""
        return self.effect is not Effect.NONE

    def __str__(self) -> str:
        return f"signature {self.signature}: {self.text}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All differences between the signatures of a live version and a new one."""

    differences: tuple[Difference, ...]
    signatures: tuple[str, ...] = ()
    """The names of the live version's signatures, sorted."""

    @property
    def is_compatible(self) -> bool:
        """Return whether the clients of the live version can use the new one unchanged."""
        return not self.breaking

    @property
    def breaking(self) -> tuple[Difference, ...]:
        """Return the differences that can break a client."""
        return tuple(one for one in self.differences if one.breaking)

    @property
    def verdict(self) -> Effect:
        """Return NONE if all requests are answered as before, ALL if none is, else SOME."""
        if self.is_compatible:
            return Effect.NONE
        effects = {self._effect(name) for name in self.signatures}
        return Effect.ALL if effects == {Effect.ALL} else Effect.SOME

    @property
    def answered(self) -> tuple[str, ...]:
        """Return the requests that are answered as before, by signature, a clause each."""
        return tuple(
            f"signature {name}: {self._answered(name)}"
            for name in self.signatures
            if self._effect(name) is not Effect.ALL
        )

    def merged(self, more: Iterable[Difference]) -> Contract:
        """Return the contract with further differences, ordered by signature."""
        together = sorted((*self.differences, *more), key=lambda one: one.signature)
        return Contract(tuple(together), self.signatures)

    def _of(self, signature: str) -> list[Difference]:
        return [one for one in self.differences if one.signature == signature]

    def _effect(self, signature: str) -> Effect:
        effects = (one.effect for one in self._of(signature))
        return max(effects, key=_ORDER.index, default=Effect.NONE)

    def _answered(self, signature: str) -> str:
        parts = [one.answered for one in self._of(signature) if one.effect is Effect.SOME]
        return " that are also ".join(dict.fromkeys(parts)) or "all requests"
