"""What classify, regress and multi-inference do, apart from where the model runs.

A job goes through its steps: it yields a signature and inputs, is sent the model's outputs, and
ends with its answer. A thread that runs the model itself and a coroutine that waits in a batch go
through the same steps. Source: as `example_methods`; tfserving.md 3.4.
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
from .nouns import Classifications, ModelSpec, Regressions, Task
from .observing import Method

Result: TypeAlias = Classifications | Regressions
_T = TypeVar("_T")
_Answer = TypeVar("_Answer", Classifications, Regressions, tuple[Result, ...])

Ask = tuple[str, Mapping[str, Tensor]]
"""What a model is to run: a signature, on inputs by alias."""
Steps = Generator[Ask, Mapping[str, Tensor], _T]
"""Asks of a model, each sent the outputs by alias; returns the answer."""


@dataclass(frozen=True, slots=True)
class Job(Generic[_Answer]):
    """A request on examples; `spec` picks the version."""

    method: Method
    spec: ModelSpec
    examples: Sequence[bytes]
    steps: Callable[[Servable], Steps[_Answer]]
    """Goes through the request on a version. Raises StatusError in TensorFlow Serving's words."""
    tasks: Sequence[Task] = ()


@dataclass(frozen=True, slots=True)
class Jobs:
    """Makes jobs; with `check_methods` a signature has to be made for what is asked of it."""

    check_methods: bool = False

    def classify(self, spec: ModelSpec, examples: Sequence[bytes]) -> Job[Classifications]:
        """Return the job of classifying serialized `tf.Example`s."""

        def steps(servable: Servable) -> Steps[Classifications]:
            return self._classify(spec, servable, examples)

        return Job(Method.CLASSIFY, spec, examples, steps)

    def regress(self, spec: ModelSpec, examples: Sequence[bytes]) -> Job[Regressions]:
        """Return the job of giving serialized `tf.Example`s a value each."""

        def steps(servable: Servable) -> Steps[Regressions]:
            return self._regress(spec, servable, examples)

        return Job(Method.REGRESS, spec, examples, steps)

    def several(self, tasks: Sequence[Task], examples: Sequence[bytes]) -> Job[tuple[Result, ...]]:
        """Return the job of doing several tasks, whose first spec picks the version.

        Raises StatusError (INVALID_ARGUMENT) where there is none.
        """
        if not tasks or not tasks[0].spec.name:
            raise StatusError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")

        def steps(servable: Servable) -> Steps[tuple[Result, ...]]:
            return self._several(tasks, servable, examples)

        return Job(Method.MULTI_INFERENCE, tasks[0].spec, examples, steps, tasks)

    def _classify(
        self, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Steps[Classifications]:
        signature = self._find_signature(spec, servable, methods.CLASSIFY)
        methods.check_classification(signature, _definition(servable, signature))
        outputs = yield signature.name, methods.to_input(examples)
        labels, scores = methods.read_classes(outputs, len(examples))
        return Classifications(_resolved(spec, servable, signature), labels, scores)

    def _regress(
        self, spec: ModelSpec, servable: Servable, examples: Sequence[bytes]
    ) -> Steps[Regressions]:
        signature = self._find_signature(spec, servable, methods.REGRESS)
        methods.check_regression(signature, _definition(servable, signature))
        outputs = yield signature.name, methods.to_input(examples)
        values = methods.read_values(outputs, len(examples))
        return Regressions(_resolved(spec, servable, signature), values)

    def _several(
        self, tasks: Sequence[Task], servable: Servable, examples: Sequence[bytes]
    ) -> Steps[tuple[Result, ...]]:
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


def finish(
    steps: Steps[_T], run: Callable[[str, Mapping[str, Tensor]], Mapping[str, Tensor]]
) -> _T:
    """Go through steps in the calling thread."""
    try:
        ask = next(steps)
        while True:
            ask = steps.send(run(*ask))
    except StopIteration as end:
        answer: _T = end.value
        return answer


def _check_tasks(tasks: Sequence[Task], servable: Servable) -> None:
    """Refuse tasks of several models, one signature twice, and other methods, in their order."""
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
