"""Records requests of the data plane in golden files (an Observer).

A request costs a look-up of how many examples its signature has. A chosen request is put into a
bounded queue, or left out if the queue is full; one thread redacts, encodes and writes. A failure
there is logged once and counted, and never fails a request.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from cloudserve.errors import CloudserveError, UserError
from cloudserve.golden.file import Example
from cloudserve.golden.recording import ENDING, Recording
from cloudserve.outputs import check_outside_models
from cloudserve.plural import counted

from ...inference.observation import Observation, Observer
from ...inference.types import Classifications, Method, Prediction, Regressions
from ...models import Servable
from ...runtime.types import DEFAULT_SIGNATURE
from ...status import Code
from ..work_queue import WorkQueue
from .golden_file import FullError, GoldenFile
from .recent import RecentRequests
from .recorded_examples import RecordedExamples, examples_example
from .recorded_request import NoJsonFormError, RecordedRequest, to_example
from .redact import Redaction

logger = logging.getLogger(__name__)

QUEUED, QUEUED_BYTES = 1000, 64 * 2**20
_OF_THE_MOMENT = frozenset(
    {
        Code.CANCELLED,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.ABORTED,
        Code.UNAVAILABLE,
    }
)
"""Errors that the same request may not get again."""


class Outcome(StrEnum):
    """The outcome of a request that was chosen to be recorded."""

    RECORDED = "recorded"
    QUEUE_FULL = "queue_full"
    """Requests arrived faster than they could be written."""
    UNWRITABLE = "unwritable"
    """The file could not be written, such as on a full disk."""
    FILE_FULL = "file_full"
    BROKEN_RULE = "broken_rule"
    """A rule of redaction does not fit the model: nothing of it is written."""
    NO_JSON = "no_json_form"
    OTHER_METHOD = "other_method"
    """MultiInference is not recorded."""
    OTHER_MODEL = "other_model"
    """The file is for another model."""
    UNREADABLE = "unreadable"
    """An error of a request whose inputs could not be decoded."""


Recorded = RecordedRequest | RecordedExamples
_OF_FEATURES = "rules of redaction are not applied to the features of Classify and Regress"
Counted = Callable[[str, Outcome], None]
"""Called with a model's name for each request that was chosen."""


def uncounted(_model: str, _outcome: Outcome) -> None:
    """Do nothing (a Counted)."""


class Recorder:
    """Records requests. All methods are thread-safe.

    The writing thread runs from the first recorded request until `close`.
    """

    def __init__(
        self,
        recording: Recording,
        counted: Counted = uncounted,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Open the file, or create the folder.

        Raises UserError if that fails, ConflictError if it would be in a model.
        """
        self._recording = recording
        self._redaction = (
            Redaction(recording.rules, recording.key)
            if recording.key
            else Redaction(recording.rules)
        )
        self._counted = counted
        self._rng = rng
        self._queue = WorkQueue[tuple[Recorded, Servable]](
            QUEUED, QUEUED_BYTES, self._work, "recorder"
        )
        self._files: dict[str, GoldenFile] = {}
        self._problems: dict[tuple[str, int], str] = {}
        """Why the rules do not fit a model's version, "" if they do."""
        self._said: set[tuple[str, Outcome]] = set()
        self._totals: Counter[Outcome] = Counter()
        self._lock = threading.Lock()
        self.recent = RecentRequests()
        self._prepare()

    def _prepare(self) -> None:
        path = self._recording.path
        check_outside_models(path / "a model" if self._recording.is_folder else path, "a recording")
        try:
            if self._recording.is_folder:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                file = GoldenFile(path)
                file.open()
                self._files[""] = file
        except OSError as error:
            raise UserError(
                f"requests cannot be recorded: {error.strerror}",
                where=str(path),
                hint="name a file in an existing folder that you may write to",
            ) from error

    def observe(self, observation: Observation) -> None:
        """Queue a request if it is chosen (an Observer)."""
        self._observe(observation.spec.name, observation)

    def below(self, prefix: str) -> Observer:
        """Return an Observer for models that are recorded as `PREFIX/MODEL`."""
        return lambda observation: self._observe(f"{prefix}/{observation.spec.name}", observation)

    def _observe(self, name: str, observation: Observation) -> None:
        servable = observation.servable
        if servable is None or self._has_all(name, servable, observation):
            return
        if observation.method is Method.MULTI_INFERENCE:
            if self._rng() < self._recording.rate:
                self._leave_out(name, Outcome.OTHER_METHOD, f"{observation.method} is not recorded")
        elif observation.code is Code.OK:
            for each in observation.each(self._is_chosen):
                self._put(name, servable, each)
        elif self._recording.errors and observation.code not in _OF_THE_MOMENT:
            for each in observation.each(self._is_chosen):
                self._put_error(name, servable, each)

    def _is_chosen(self) -> bool:
        return self._rng() < self._recording.rate

    def _has_all(self, name: str, servable: Servable, observation: Observation) -> bool:
        file = self._files.get(name if self._recording.is_folder else "")
        if file is None:
            return False
        kind = servable.version, observation.signature or DEFAULT_SIGNATURE
        return file.counts[kind] >= self._recording.most

    def _put_error(self, name: str, servable: Servable, observation: Observation) -> None:
        if observation.inputs or (observation.examples and observation.signature):
            self._put(name, servable, observation)
        else:
            text = "an error is not recorded: the request's inputs could not be decoded"
            self._leave_out(name, Outcome.UNREADABLE, text)

    def _put(self, name: str, servable: Servable, observation: Observation) -> None:
        is_prediction = observation.method is Method.PREDICT
        request = (_prediction if is_prediction else _examples)(name, servable, observation)
        if not self._queue.put((request, servable), request.size):
            self._leave_out(name, Outcome.QUEUE_FULL, "there are more requests than can be written")

    def close(self, seconds: float) -> None:
        """Accept no more requests, write the queued ones within `seconds`, and close the files."""
        in_time = self._queue.close(seconds)
        if in_time is None:
            self._close_files()
        elif not in_time:
            logger.warning("not every request was recorded in time")
        self._summarize()

    def _summarize(self) -> None:
        left_out = ", ".join(
            f"{count:,} {outcome}"
            for outcome, count in sorted(self._totals.items())
            if outcome is not Outcome.RECORDED
        )
        text = f"; left out: {left_out}" if left_out else ""
        count, path = self._totals[Outcome.RECORDED], self._recording.path
        logger.info("recorded %s in %s%s", counted(count, "request"), path, text)

    # In the writing thread.

    def _work(self) -> None:
        while (queued := self._queue.take()) is not None:
            request, servable = queued
            try:
                self._record(request, servable)
            except Exception:
                # A defect: it must end neither the thread nor the recording.
                logger.exception("a request could not be recorded")
                self._count(request.model, Outcome.NO_JSON)
        self._close_files()

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()

    def _record(self, request: Recorded, servable: Servable) -> None:
        if problem := self._problem(servable, request):
            self._leave_out(request.model, Outcome.BROKEN_RULE, problem)
            return
        try:
            example = self._example(request)
        except (CloudserveError, NoJsonFormError) as error:
            self._leave_out(request.model, Outcome.NO_JSON, str(error))
            return
        try:
            file = self._file(request.model)
            if file.model not in {"", request.model}:
                text = f"{self._recording.path} has requests to {file.model}; give a folder"
                self._leave_out(request.model, Outcome.OTHER_MODEL, text)
            elif file.counts[request.version, request.signature_name] < self._recording.most:
                file.append(example, request.model)
                self.recent.add(request.model, example, request.batch_rows)
                self._said.discard((request.model, Outcome.UNWRITABLE))
                self._count(request.model, Outcome.RECORDED)
        except (OSError, UserError) as error:
            self._leave_out(request.model, Outcome.UNWRITABLE, str(error))
        except FullError as error:
            self._leave_out(request.model, Outcome.FILE_FULL, str(error))

    def _example(self, request: Recorded) -> Example:
        if isinstance(request, RecordedExamples):
            return examples_example(request)
        return to_example(request, self._redaction)

    def _problem(self, servable: Servable, request: Recorded) -> str:
        if isinstance(request, RecordedExamples):
            return _OF_FEATURES if self._recording.rules else ""
        key = request.model, request.version
        if key not in self._problems:
            signatures = servable.model.all_signatures.values()
            self._problems[key] = self._redaction.problem(signatures)
        return self._problems[key]

    def _file(self, model: str) -> GoldenFile:
        if not self._recording.is_folder:
            return self._files[""]
        if model not in self._files:
            file = GoldenFile(self._recording.path / file_name(model))
            file.open()
            self._files[model] = file
        return self._files[model]

    def _leave_out(self, model: str, outcome: Outcome, why: str) -> None:
        self._count(model, outcome)
        if (model, outcome) not in self._said:
            self._said.add((model, outcome))
            logger.warning(
                "a request to %s is not recorded, nor are others like it: %s", model, why
            )

    def _count(self, model: str, outcome: Outcome) -> None:
        with self._lock:
            self._totals[outcome] += 1
        self._counted(model, outcome)


def _prediction(name: str, servable: Servable, observation: Observation) -> Recorded:
    answer = observation.answer
    return RecordedRequest(
        name,
        servable.version,
        observation.spec.label or "",
        servable.model.all_signatures[observation.signature],
        observation.inputs,
        answer.outputs if isinstance(answer, Prediction) else {},
        observation.code,
        observation.batch_rows,
    )


def _examples(name: str, servable: Servable, observation: Observation) -> Recorded:
    answer = observation.answer
    return RecordedExamples(
        name,
        servable.version,
        observation.spec.label or "",
        observation.method,
        observation.signature,
        observation.examples,
        answer if isinstance(answer, Classifications | Regressions) else None,
        observation.code,
        observation.batch_rows,
    )


def file_name(model: str) -> Path:
    """Return the name of a model's file in a folder; names are free text."""
    return Path(f"{quote(model, safe=' ', errors='surrogateescape')}{ENDING}")
