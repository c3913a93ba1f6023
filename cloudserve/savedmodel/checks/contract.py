"""Compatibility of a new version's signatures with the requests of the live one.

Inputs may accept more than before and outputs may become more specific; any other change can break
a client. TensorFlow Serving's JSON adds two rules to gRPC's: a request names every input, even one
with a default, and a single output is written without its name
(tensorflow_serving/util/json_tensor.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudserve.savedmodel.checks.differences import Contract, Difference, Effect
from cloudserve.savedmodel.checks.tensor_rules import compare_tensors
from cloudserve.savedmodel.signature import (
    HIDDEN_SIGNATURES,
    METHODS,
    PREDICT_METHOD,
    Signature,
    TensorSpec,
)

DEFAULT_SIGNATURE = "serving_default"
"""The default signature of a request (tensorflow/cc/saved_model/signature_constants.h)."""


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
        ),
        tuple(sorted(before)),
    )


def _by_name(signatures: Iterable[Signature]) -> dict[str, Signature]:
    return {one.name: one for one in signatures if one.name not in HIDDEN_SIGNATURES}


def _compare_one(name: str, live: Signature | None, new: Signature | None) -> Iterator[Difference]:
    if live is None:
        yield Difference(name, "is added")
    elif new is None:
        default = name == DEFAULT_SIGNATURE
        consequence = "; requests that name no signature use it" if default else ""
        yield Difference(name, f"is missing{consequence}", Effect.ALL)
    else:
        yield from _method(live, new)
        yield from _inputs(live, new)
        yield from _outputs(live, new)


def _method(live: Signature, new: Signature) -> Iterator[Difference]:
    """Compare the methods: Predict accepts any of the three, Classify and Regress only their own.

    Source: `VerifySignature` in tensorflow_serving/servables/tensorflow/predict_util.cc.
    """
    if live.method_name == new.method_name:
        return
    text = f"method changes from {live.method_name or '(none)'} to {new.method_name or '(none)'}"
    if new.method_name not in METHODS:
        yield _breaks(live, text)
    elif live.method_name == PREDICT_METHOD:
        yield Difference(live.name, text)
    else:
        yield _partly(live, text, "Predict requests")


def _inputs(live: Signature, new: Signature) -> Iterator[Difference]:
    before, after = _by_alias(live.inputs), _by_alias(new.inputs)
    for alias in sorted({**before, **after}):
        if alias not in after:
            yield _removed_input(alias, live)
        elif alias not in before:
            yield _added_input(alias, live, new)
        else:
            yield from compare_tensors(live.name, "input", before[alias], after[alias])
            yield from _default(live, new, alias)


def _removed_input(alias: str, live: Signature) -> Difference:
    text = f"input {alias} is missing; requests that send it are refused"
    if alias in live.defaults:
        return _partly(live, text, f"gRPC requests without {alias}")
    return _breaks(live, text)


def _added_input(alias: str, live: Signature, new: Signature) -> Difference:
    if alias not in new.defaults:
        return _breaks(
            live,
            f"input {alias} is added without a default; requests that leave it out are refused",
        )
    text = (
        f"input {alias} is added; it has a default, but JSON requests that leave it out are refused"
    )
    return _partly(live, text, "gRPC requests")


def _default(live: Signature, new: Signature, alias: str) -> Iterator[Difference]:
    had, has = alias in live.defaults, alias in new.defaults
    if had and not has:
        yield _partly(live, f"input {alias} no longer has a default", f"requests with {alias}")
    elif has and not had:
        yield Difference(live.name, f"input {alias} has a default now")


def _outputs(live: Signature, new: Signature) -> Iterator[Difference]:
    before, after = _by_alias(live.outputs), _by_alias(new.outputs)
    for alias in sorted({**before, **after}):
        if alias not in after:
            text = f"output {alias} is missing"
            rest = before.keys() & after.keys()
            answered = f"requests of clients that do not read {alias}"
            yield _partly(live, text, answered) if rest else _breaks(live, text)
        elif alias not in before:
            yield Difference(live.name, f"output {alias} is added")
        else:
            yield from compare_tensors(live.name, "output", before[alias], after[alias])
    if (len(before) == 1) != (len(after) == 1):
        one, other = ("values", "objects") if len(before) == 1 else ("objects", "values")
        text = f"JSON predictions change from {one} to {other}: {_count(after)}"
        yield _partly(live, text, "gRPC requests")


def _count(outputs: dict[str, TensorSpec]) -> str:
    return f"there {'is one output' if len(outputs) == 1 else f'are {len(outputs)} outputs'} now"


def _partly(signature: Signature, text: str, answered: str) -> Difference:
    return Difference(signature.name, text, Effect.SOME, answered)


def _breaks(signature: Signature, text: str) -> Difference:
    return Difference(signature.name, text, Effect.ALL)


def _by_alias(specs: Iterable[TensorSpec]) -> dict[str, TensorSpec]:
    return {spec.alias: spec for spec in specs}
