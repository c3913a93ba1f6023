"""Classify, regress and multi-inference, independent of where the model runs.

An execution yields a signature and inputs, is sent the model's outputs, and returns the result. A
thread that runs the model itself and a coroutine that waits in a batch use the same execution.
Source: as `example_methods`; tfserving.md 3.4.
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
from .observation import Method
from .types import Classifications, ModelSpec, Regressions, Task

Result: TypeAlias = Classifications | Regressions
_T = TypeVar("_T")
_Answer = TypeVar("_Answer", Classifications, Regressions, tuple[Result, ...])

ModelCall = tuple[str, Mapping[str, Tensor]]
"""A signature to run, and its inputs by alias."""
Execution = Generator[ModelCall, Mapping[str, Tensor], _T]
"""Yields calls of a model, is sent their outputs by alias, and returns the result."""


@dataclass(frozen=True, slots=True)
class ExampleRequest(Generic[_Answer]):
    """A request on examples; `spec` selects the version."""

    method: Method
    spec: ModelSpec
    examples: Sequence[bytes]
    execute: Callable[[Servable], Execution[_Answer]]
    """Executes the request on a version. Raises StatusError with TensorFlow Serving's texts."""
    tasks: Sequence[Task] = ()


@dataclass(frozen=True, slots=True)
class ExampleRequests:
    """Creates requests; with `check_methods` a signature's method must match the request's."""

    check_methods: bool = False

    def classify(
        self, spec: ModelSpec, examples: Sequence[bytes]
    ) -> ExampleRequest[Classifications]:
        """Return a request to classify serialized `tf.Example`s."""

        def execute(servable: Servable) -> Execution[Classifications]:
            return self._classify(spec, servable, examples)

        return ExampleRequest(Method.CLASSIFY, spec, examples, execute)

    def regress(self, spec: ModelSpec, examples: Sequence[bytes]) -> ExampleRequest[Regressions]:
        """Return a request for a value of each serialized `tf.Example`."""

        def execute(servable: Servable) -> Execution[Regressions]:
            return self._regress(spec, servable, examples)

        return ExampleRequest(Method.REGRESS, spec, examples, execute)

    def several(
        self, tasks: Sequence[Task], examples: Sequence[bytes]
    ) -> ExampleRequest[tuple[Result, ...]]:
        """Return a request to run several tasks, whose first spec selects the version.

        Raises StatusError (INVALID_ARGUMENT) if there is none.
        """
        if not tasks or not tasks[0].spec.name:
            raise StatusError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")

        def execute(servable: Servable) -> Execution[tuple[Result, ...]]:
            return self._several(tasks, servable, examples)

        return ExampleRequest(Method.MULTI_INFERENCE, tasks[0].spec, examples, execute, tasks)

    def _classify(
        self, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Execution[Classifications]:
        signature = self._find_signature(spec, servable, methods.CLASSIFY)
        methods.check_classification(signature, _definition(servable, signature))
        outputs = yield signature.name, methods.to_input(examples)
        labels, scores = methods.read_classes(outputs, len(examples))
        return Classifications(_resolved(spec, servable, signature), labels, scores)

    def _regress(
        self, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Execution[Regressions]:
        signature = self._find_signature(spec, servable, methods.REGRESS)
        methods.check_regression(signature, _definition(servable, signature))
        outputs = yield signature.name, methods.to_input(examples)
        values = methods.read_values(outputs, len(examples))
        return Regressions(_resolved(spec, servable, signature), values)

    def _several(
        self, tasks: Sequence[Task], servable: Servable, examples: Sequence[bytes]
    ) -> Execution[tuple[Result, ...]]:
        _check_tasks(tasks, servable)
        answers: list[Result] = []
        for task in tasks:
            if task.method == methods.CLASSIFY:
                answers.append((yield from self._classify(task.spec, servable, examples)))
            else:
                answers.append((yield from self._regress(task.spec, servable, examples)))
        return tuple(answers)

    def _find_signature(self, spec: ModelSpec, servable: Servable, method: str) -> Signature:
        name = spec.signature or DEFAULT_SIGNATURE
        signature = servable.model.all_signatures.get(name)
        if signature is None:
            text = f"No signature was found with the name: {name}"
            raise StatusError(Code.INVALID_ARGUMENT, text)
        if self.check_methods:
            methods.check_method(signature, method)
        return signature


def run_to_end(
    execution: Execution[_T], run: Callable[[str, Mapping[str, Tensor]], Mapping[str, Tensor]]
) -> _T:
    """Run an execution to its end in the calling thread."""
    try:
        call = next(execution)
        while True:
            call = execution.send(run(*call))
    except StopIteration as end:
        answer: _T = end.value
        return answer


def _check_tasks(tasks: Sequence[Task], servable: Servable) -> None:
    """Refuse tasks of several models, repeated signatures, and other methods, in that order."""
    seen: set[str] = set()
    for spec, method in ((task.spec, task.method) for task in tasks):
        name = spec.signature or DEFAULT_SIGNATURE
        if not spec.name:
            text = "Found ModelSpec with an empty model name."
        elif spec.name != servable.name:
            text = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        elif name in seen:
            text = f"Duplicate evaluation of signature: {name}"
        elif name not in servable.model.all_signatures:
            text = f"Requested signature not found in model graph: {name}"
        elif method not in {methods.CLASSIFY, methods.REGRESS}:
            text = f"Unsupported signature method_name: {method}"
            raise StatusError(Code.UNIMPLEMENTED, text)
        else:
            seen.add(name)
            continue
        raise StatusError(Code.INVALID_ARGUMENT, text)


def _definition(servable: Servable, signature: Signature) -> Any:
    return definitions_of(servable.model).get(signature.name)


def _resolved(spec: ModelSpec, servable: Servable, signature: Signature) -> ModelSpec:
    return ModelSpec(spec.name, servable.version, spec.label, signature.name)
