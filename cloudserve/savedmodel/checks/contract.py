"""Compatibility of a new version's signatures with the requests of the live one.

Inputs may accept more than before and outputs may become more specific; any other change can break
a client. TensorFlow Serving's JSON adds two rules to gRPC's: a request names every input, even one
with a default, and a single output is written without its name
(tensorflow_serving/util/json_tensor.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Shape, Signature, TensorSpec

DEFAULT_SIGNATURE = "serving_default"
"""The default signature of a request (tensorflow/cc/saved_model/signature_constants.h)."""

_PREDICT = "tensorflow/serving/predict"
_METHODS = frozenset({_PREDICT, "tensorflow/serving/classify", "tensorflow/serving/regress"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the signatures of two versions."""

    signature: str
    text: str
    """A sentence without a full stop, such as `input x: dtype changes from float32 to int32`."""
    breaking: bool
    """Whether requests of the live version's clients can fail, or get another form of response."""

    def __str__(self) -> str:
        return f"signature {self.signature}: {self.text}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All differences between the signatures of a live version and a new one."""

    differences: tuple[Difference, ...]

    @property
    def is_compatible(self) -> bool:
        """Return whether the clients of the live version can use the new one unchanged."""
        return not self.breaking

    @property
    def breaking(self) -> tuple[Difference, ...]:
        """Return the differences that can break a client."""
        return tuple(one for one in self.differences if one.breaking)


def compare(live: Iterable[Signature], new: Iterable[Signature]) -> Contract:
    """Compare the signatures of the live version with those of a new one, sorted by name.

    The loader's own signatures (`HIDDEN_SIGNATURES`) are ignored, because no request names them.
    """
    before, after = _by_name(live), _by_name(new)
    return Contract(
        tuple(
            difference
            for name in sorted({**before, **after})
            for difference in _compare_one(name, before.get(name), after.get(name))
        )
    )


def _by_name(signatures: Iterable[Signature]) -> dict[str, Signature]:
    return {one.name: one for one in signatures if one.name not in HIDDEN_SIGNATURES}


def _compare_one(name: str, live: Signature | None, new: Signature | None) -> Iterator[Difference]:
    if live is None:
        yield Difference(name, "is added", breaking=False)
    elif new is None:
        default = name == DEFAULT_SIGNATURE
        consequence = "; requests that name no signature use it" if default else ""
        yield Difference(name, f"is missing{consequence}", breaking=True)
    else:
        yield from _method(live, new)
        yield from _inputs(live, new)
        yield from _outputs(live, new)


def _method(live: Signature, new: Signature) -> Iterator[Difference]:
    """Compare the methods: Predict accepts any of the three, Classify and Regress only their own.

    Source: `VerifySignature` in tensorflow_serving/servables/tensorflow/predict_util.cc.
    """
    if live.method_name != new.method_name:
        text = (
            f"method changes from {live.method_name or '(none)'} to {new.method_name or '(none)'}"
        )
        still_predicts = live.method_name == _PREDICT and new.method_name in _METHODS
        yield Difference(live.name, text, breaking=not still_predicts)


def _inputs(live: Signature, new: Signature) -> Iterator[Difference]:
    before, after = _by_alias(live.inputs), _by_alias(new.inputs)
    for alias in sorted({**before, **after}):
        if alias not in after:
            yield _breaks(live, f"input {alias} is missing; requests that send it are refused")
        elif alias not in before:
            yield _breaks(live, _added_input(alias, new))
        else:
            yield from _tensor(live, f"input {alias}", before[alias], after[alias])
            yield from _default(live, new, alias)


def _added_input(alias: str, new: Signature) -> str:
    if alias in new.defaults:
        return (
            f"input {alias} is added; it has a default, but JSON requests that leave it out are "
            "refused"
        )
    return f"input {alias} is added without a default; requests that leave it out are refused"


def _default(live: Signature, new: Signature, alias: str) -> Iterator[Difference]:
    had, has = alias in live.defaults, alias in new.defaults
    if had and not has:
        yield _breaks(live, f"input {alias} no longer has a default")
    elif has and not had:
        yield Difference(live.name, f"input {alias} has a default now", breaking=False)


def _outputs(live: Signature, new: Signature) -> Iterator[Difference]:
    before, after = _by_alias(live.outputs), _by_alias(new.outputs)
    for alias in sorted({**before, **after}):
        if alias not in after:
            yield _breaks(live, f"output {alias} is missing")
        elif alias not in before:
            yield Difference(live.name, f"output {alias} is added", breaking=False)
        else:
            yield from _tensor(live, f"output {alias}", before[alias], after[alias], output=True)
    if (len(before) == 1) != (len(after) == 1):
        one, other = ("values", "objects") if len(before) == 1 else ("objects", "values")
        yield _breaks(live, f"JSON predictions change from {one} to {other}: {_count(after)}")


def _count(outputs: dict[str, TensorSpec]) -> str:
    return f"there {'is one output' if len(outputs) == 1 else f'are {len(outputs)} outputs'} now"


def _tensor(
    live: Signature, noun: str, before: TensorSpec, after: TensorSpec, *, output: bool = False
) -> Iterator[Difference]:
    if before.dtype != after.dtype:
        yield _breaks(live, f"{noun}: dtype changes from {before.dtype} to {after.dtype}")
    if len(before.components) != len(after.components):
        yield _breaks(live, f"{noun} changes from {_form(before)} to {_form(after)}")
    elif before.shape != after.shape:
        # An output that is less specific may still be the same: only contradicting sizes break.
        fits = _agrees if output else _accepts
        text = f"{noun}: shape changes from {_say(before.shape)} to {_say(after.shape)}"
        breaking = not fits(before.shape, after.shape)
        yield Difference(live.name, text, breaking=breaking)


def _accepts(before: Shape, after: Shape) -> bool:
    """Return whether every tensor of the shape `before` has the shape `after` too."""
    if after is None or before is None:
        return after is None
    return len(before) == len(after) and all(
        new is None or new == old for old, new in zip(before, after, strict=True)
    )


def _agrees(before: Shape, after: Shape) -> bool:
    """Return whether a tensor can have both shapes."""
    if before is None or after is None:
        return True
    return len(before) == len(after) and all(
        None in (old, new) or new == old for old, new in zip(before, after, strict=True)
    )


def _breaks(signature: Signature, text: str) -> Difference:
    return Difference(signature.name, text, breaking=True)


def _by_alias(specs: Iterable[TensorSpec]) -> dict[str, TensorSpec]:
    return {spec.alias: spec for spec in specs}


def _form(spec: TensorSpec) -> str:
    return f"{len(spec.components)} component tensors" if spec.components else "one dense tensor"


def _say(shape: Shape) -> str:
    if shape is None:
        return "[...]"
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"
