"""Requests on models: predict, classify, regress and multi-inference, as one kind of request.

A request is independent of where it runs. Its execution yields calls of the model, is sent their
outputs, and returns the answer. Source: as `example_methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from cloudserve.savedmodel.signature import Signature

from ..models import Servable
from ..runtime.types import DEFAULT_SIGNATURE, Tensor, definitions_of
from ..status import Code, StatusError
from . import example_methods as methods
from .types import Classifications, Method, ModelSpec, Prediction, Regressions, Task

Result: TypeAlias = Classifications | Regressions
_A = TypeVar("_A")
_T = TypeVar("_T")

ModelCall: TypeAlias = tuple[str, Mapping[str, Tensor], Sequence[str]]
"""A signature to run, its inputs by alias, and the aliases of the wanted outputs; () for all."""
Execution: TypeAlias = Generator[ModelCall, Mapping[str, Tensor], _T]
"""Yields calls of a model, is sent their outputs by alias, and returns the answer."""
Execute: TypeAlias = Callable[[Servable, bool], Execution[_T]]
"""Begins an execution on a version; with True, a signature's method must match the request's.

Raises StatusError with TensorFlow Serving's texts.
"""
Decode: TypeAlias = Callable[[Signature], Mapping[str, Tensor]]
"""Decodes a request's payload into arrays by input alias, given its signature."""


@dataclass(slots=True)
class InferenceRequest(Generic[_A]):
    """A request; `spec` selects the version."""

    method: Method
    spec: ModelSpec
    execute: Execute[_A]
    examples: Sequence[bytes] = ()
    """The input of every method but predict."""
    tasks: Sequence[Task] = ()

    @property
    def signature(self) -> str:
        """Return the name of the signature that a request of one signature runs."""
        return self.spec.signature or DEFAULT_SIGNATURE


Parsed: TypeAlias = tuple[InferenceRequest[Any], Callable[[Any], _T]]
"""A request, and the encoder of its answer."""


class NotPlainError(Exception):
    """A request takes too long to decode in the event loop; `Job.parse` does for a thread."""


@dataclass(slots=True)
class Job(Generic[_T]):
    """A protocol's request: its bytes, the request they hold, and the encoding of its answer."""

    size: int
    """How many bytes the request has."""
    parse: Callable[[], Parsed[_T]]
    """Parses the bytes. Raises StatusError; may take long."""
    parsed: Parsed[_T] | None = None
    """The same, for a small request that the event loop has parsed and may decode."""
    small_bytes: int = 0
    """The size of outputs up to which the event loop may encode them."""
    encoding: str = ""
    """The format of the bytes: estimates of one do not hold for another."""
    parse_plain: Callable[[], Parsed[_T] | None] | None = None
    """Parses a request of moderate size in about a millisecond; returns None if it cannot.

    The decoding of what it returns takes as long, or raises NotPlainError.
    """


def unknown_signature(name: str) -> StatusError:
    """Return REST's error for a prediction that names a signature that the model lacks."""
    text = f'Serving signature name: "{name}" not found in signature def'
    return StatusError(Code.INVALID_ARGUMENT, text)


def predict(
    spec: ModelSpec,
    decode: Decode,
    output_filter: Sequence[str] = (),
    unknown: Callable[[str], StatusError] = unknown_signature,
) -> InferenceRequest[Prediction]:
    """Return a request to run a signature; `unknown` makes the error if the model lacks it.

    `output_filter` holds the aliases of the requested outputs; if empty, all are returned.
    """

    def execute(servable: Servable, check_methods: bool) -> Execution[Prediction]:
        name = spec.signature or DEFAULT_SIGNATURE
        signature = servable.model.all_signatures.get(name)
        if signature is None:
            raise unknown(name)
        if check_methods:
            methods.check_predict_method(signature)
        outputs = yield name, decode(signature), output_filter
        return Prediction(_resolved(spec, servable, name), signature, outputs)

    return InferenceRequest(Method.PREDICT, spec, execute)


def classify(spec: ModelSpec, examples: Sequence[bytes]) -> InferenceRequest[Classifications]:
    """Return a request to classify serialized `tf.Example`s."""

    def execute(servable: Servable, check_methods: bool) -> Execution[Classifications]:
        return _classify(spec, servable, examples, check_methods=check_methods)

    return InferenceRequest(Method.CLASSIFY, spec, execute, examples)


def regress(spec: ModelSpec, examples: Sequence[bytes]) -> InferenceRequest[Regressions]:
    """Return a request for a value of each serialized `tf.Example`."""

    def execute(servable: Servable, check_methods: bool) -> Execution[Regressions]:
        return _regress(spec, servable, examples, check_methods=check_methods)

    return InferenceRequest(Method.REGRESS, spec, execute, examples)


def multi_inference(
    tasks: Sequence[Task], examples: Sequence[bytes]
) -> InferenceRequest[tuple[Result, ...]]:
    """Return a request to run several tasks on the same Examples.

    The first task's spec selects the version. The signatures run one after the other; TensorFlow
    Serving fetches them in one run. Raises StatusError (INVALID_ARGUMENT) if there is no task.
    """
    if not tasks or not tasks[0].spec.name:
        raise StatusError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")

    def execute(servable: Servable, check_methods: bool) -> Execution[tuple[Result, ...]]:
        _check_tasks(tasks, servable)
        answers: list[Result] = []
        for task in tasks:
            run = _classify if task.method == methods.CLASSIFY else _regress
            answers.append(
                (yield from run(task.spec, servable, examples, check_methods=check_methods))
            )
        return tuple(answers)

    return InferenceRequest(Method.MULTI_INFERENCE, tasks[0].spec, execute, examples, tasks)


def _classify(
    spec: ModelSpec, servable: Servable, examples: Sequence[bytes], *, check_methods: bool
) -> Execution[Classifications]:
    signature = _find(spec, servable, methods.CLASSIFY if check_methods else None)
    methods.check_classification(signature, _definition(servable, signature))
    outputs = yield signature.name, methods.to_input(examples), ()
    labels, scores = methods.read_classes(outputs, len(examples))
    return Classifications(_resolved(spec, servable, signature.name), labels, scores)


def _regress(
    spec: ModelSpec, servable: Servable, examples: Sequence[bytes], *, check_methods: bool
) -> Execution[Regressions]:
    signature = _find(spec, servable, methods.REGRESS if check_methods else None)
    methods.check_regression(signature, _definition(servable, signature))
    outputs = yield signature.name, methods.to_input(examples), ()
    values = methods.read_values(outputs, len(examples))
    return Regressions(_resolved(spec, servable, signature.name), values)


def _find(spec: ModelSpec, servable: Servable, method: str | None) -> Signature:
    name = spec.signature or DEFAULT_SIGNATURE
    signature = servable.model.all_signatures.get(name)
    if signature is None:
        text = f"No signature was found with the name: {name}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    if method is not None:
        methods.check_method(signature, method)
    return signature


def _check_tasks(tasks: Sequence[Task], servable: Servable) -> None:
    """Refuse tasks of several models, repeated signatures, and other methods, in that order."""
    names: set[str] = set()
    for spec, method in ((task.spec, task.method) for task in tasks):
        name = spec.signature or DEFAULT_SIGNATURE
        if not spec.name:
            text = "Found ModelSpec with an empty model name."
        elif spec.name != servable.name:
            text = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        elif name in names:
            text = f"Duplicate evaluation of signature: {name}"
        elif name not in servable.model.all_signatures:
            text = f"Requested signature not found in model graph: {name}"
        elif method not in {methods.CLASSIFY, methods.REGRESS}:
            text = f"Unsupported signature method_name: {method}"
            raise StatusError(Code.UNIMPLEMENTED, text)
        else:
            names.add(name)
            continue
        raise StatusError(Code.INVALID_ARGUMENT, text)


def _definition(servable: Servable, signature: Signature) -> Any:
    return definitions_of(servable.model).get(signature.name)


def _resolved(spec: ModelSpec, servable: Servable, signature: str) -> ModelSpec:
    return ModelSpec(spec.name, servable.version, spec.label, signature)
