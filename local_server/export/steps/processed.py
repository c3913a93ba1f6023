"""A signature with steps before its inputs and behind its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.local.model_steps import InputStep, OutputStep

from ...runtime.types import DEFAULT_SIGNATURE
from ..served import Served, named
from .inputs import prepare
from .outputs import finish
from .stage import Stage

S = TypeVar("S")
_Steps = Mapping[str, Sequence[S]]


def process(
    tf: Any,
    served: Mapping[str, Served],
    before: _Steps[InputStep],
    after: _Steps[OutputStep],
) -> dict[str, Served]:
    """Return the signatures that steps change; the keys of the steps are those of a request.

    Raises UserError for an unknown name, and for a step that does not fit.
    """
    inputs, outputs = _by_signature(before), _by_signature(after)
    processed = {}
    for name in {**inputs, **outputs}:
        if name not in served:
            raise UserError(f"there is no signature {name} for the steps", hint=choose_from(served))
        processed[name] = _process(tf, served[name], inputs.get(name, {}), outputs.get(name, {}))
    return processed


def steps_of(steps: _Steps[S], signature: str) -> list[S]:
    """Return all steps of a signature; the keys of `steps` are those of a request."""
    return [step for one in _by_signature(steps).get(signature, {}).values() for step in one]


def _by_signature(steps: _Steps[S]) -> dict[str, dict[str, Sequence[S]]]:
    """Return steps by signature and name; raises UserError for two texts of one name."""
    found: dict[str, dict[str, Sequence[S]]] = {}
    for key, one in steps.items():
        signature, _, name = key.rpartition(":")
        named = found.setdefault(signature or DEFAULT_SIGNATURE, {})
        if name in named:
            raise _named_twice(name)
        named[name] = one
    return found


def _named_twice(name: str) -> UserError:
    return UserError(
        f"{name} is named twice, in two ways",
        hint="write its name alike in front of each step",
    )


def _process(
    tf: Any, served: Served, before: _Steps[InputStep], after: _Steps[OutputStep]
) -> Served:
    traced = tf.function(
        served.function, input_signature=served.specs, autograph=False
    ).get_concrete_function()
    tensors = named(tf, tf.nest.pack_sequence_as(traced.structured_outputs, traced.outputs))
    before = _resolved(before, [spec.name for spec in served.specs], "input")
    after = _resolved(after, list(tensors), "output")
    prepared = [prepare(tf, spec, before.get(spec.name, ())) for spec in served.specs]
    stages = {name: finish(tf, name, tensors[name], steps) for name, steps in after.items()}

    def serve(*sent: Any) -> dict[str, Any]:
        given = [
            _through([s.in_graph for s in p.stages], x) for p, x in zip(prepared, sent, strict=True)
        ]
        return _answers(named(tf, served.function(*given)), stages, in_graph=True)

    def reference(*sent: Any) -> dict[str, Any]:
        given = [
            _through([s.in_numpy for s in p.stages], x.numpy())
            for p, x in zip(prepared, sent, strict=True)
        ]
        answers = named(tf, (served.reference or served.function)(*map(tf.constant, given)))
        arrays = {name: np.asarray(value) for name, value in answers.items()}
        return _answers(arrays, stages, in_graph=False)

    samples = dict(served.samples)
    for one in prepared:
        samples |= one.samples
    specs = tuple(one.spec for one in prepared)
    return replace(served, function=serve, specs=specs, reference=reference, samples=samples)


def _resolved(steps: _Steps[S], names: list[str], what: str) -> dict[str, Sequence[S]]:
    """Return steps by known names; "" is the only one."""
    resolved: dict[str, Sequence[S]] = {}
    for name, one in steps.items():
        known = names[0] if not name and len(names) == 1 else name
        if known not in names:
            text = f"there is no {what} {name}" if name else f"there are {len(names)} {what}s"
            raise UserError(f"{text} for the steps", hint=choose_from(names))
        if known in resolved:
            raise _named_twice(known)
        resolved[known] = one
    return resolved


def _through(functions: Iterable[Any], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value


def _answers(
    outputs: Mapping[str, Any], stages: Mapping[str, tuple[Stage, ...]], *, in_graph: bool
) -> dict[str, Any]:
    answers = dict(outputs)
    for name, one in stages.items():
        functions = [stage.in_graph if in_graph else stage.in_numpy for stage in one]
        result = _through(functions, outputs[name])
        for end, value in (result if isinstance(result, dict) else {"": result}).items():
            if end and name + end in outputs:
                raise UserError(
                    f"the model has an output {name + end} already", hint="leave top_k out"
                )
            answers[name + end] = value
    return answers
