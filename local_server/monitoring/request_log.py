"""A sampled and bounded log of requests: `PredictionLog` records in TFRecord files.

A request costs a look-up of its model's sampling rate. A sampled one is put into a bounded queue,
or dropped and counted if the queue is full. One thread creates and writes the records. TensorFlow
Serving has the configuration (`logging_config`) but no logger.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ..config import ModelConfig
from ..inference.observation import Observation
from ..status import Code
from .log_files import LogFiles
from .log_options import RequestLogOptions
from .log_records import Entry, to_entry, to_record
from .work_queue import WorkQueue

logger = logging.getLogger(__name__)

Logged = Callable[[str, Code], None]
"""Called for each sampled request with its model, and OK once it is written.

RESOURCE_EXHAUSTED means that it was dropped, UNAVAILABLE that it could not be written.
"""


@dataclass(frozen=True, slots=True)
class _Stream:
    """The file prefix and the sampling rate of a model's requests."""

    prefix: str
    rate: float


def uncounted(_model: str, _code: Code) -> None:
    """Do nothing (a Logged)."""


class RequestLog:
    """Logs requests of the data plane. All methods are thread-safe.

    The writing thread runs from the first logged request until `close`.
    """

    def __init__(
        self,
        options: RequestLogOptions,
        logged: Logged = uncounted,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._logged = logged
        self._rng = rng
        self._streams: Mapping[str, _Stream] = {}
        self._queue = WorkQueue[tuple[Entry, str]](
            options.queue_records, options.queue_bytes, self._work, "request-log"
        )
        self._failing = False

    def configure(self, models: Iterable[ModelConfig]) -> None:
        """Log the requests of these models from now on, each as configured."""
        streams = ((model.name, self._stream(model)) for model in models)
        self._streams = {name: stream for name, stream in streams if stream}

    def observe(self, observation: Observation) -> None:
        """Queue a request if it was answered and is sampled (an Observer)."""
        stream = self._streams.get(observation.spec.name)
        if stream is not None:
            for each in observation.each(lambda: self._rng() < stream.rate):
                self._log(stream, each)

    def _log(self, stream: _Stream, observation: Observation) -> None:
        answer = observation.answer
        if answer is None:
            return
        entry = to_entry(observation, answer, stream.rate)
        if not self._queue.put((entry, stream.prefix), entry.size):
            self._logged(entry.model, Code.RESOURCE_EXHAUSTED)

    def close(self, seconds: float) -> None:
        """Accept no more requests, write the queued ones within `seconds`, and close the files."""
        if self._queue.close(seconds) is False:
            logger.warning("not every request was logged in time")

    def _stream(self, model: ModelConfig) -> _Stream | None:
        if model.logging:
            return _Stream(model.logging.filename_prefix, model.logging.sampling_rate)
        if self._options.directory:
            # A name is free text; quoted, it is always one file name.
            name = quote(model.name, safe=" ", errors="surrogateescape")
            return _Stream(str(self._options.directory / name), self._options.sampling_rate)
        return None

    def _work(self) -> None:
        files: dict[str, LogFiles] = {}
        while (queued := self._queue.take()) is not None:
            entry, prefix = queued
            if prefix not in files:
                files[prefix] = LogFiles(prefix, self._options.limits)
            self._logged(entry.model, self._write(files[prefix], entry))
            self._close_unused(files)
        for each in files.values():
            each.close()

    def _write(self, files: LogFiles, entry: Entry) -> Code:
        try:
            files.write(to_record(entry))
        except Exception as error:
            # A full disk, or a request that does not fit a record.
            if not self._failing:
                is_defect = not isinstance(error, OSError)
                logger.warning("requests are not logged: %s", error, exc_info=is_defect)
            self._failing = True
            return Code.UNAVAILABLE
        self._failing = False
        return Code.OK

    def _close_unused(self, files: dict[str, LogFiles]) -> None:
        """Close the files of models that are logged elsewhere now, or no longer."""
        used = {stream.prefix for stream in self._streams.values()}
        for prefix in files.keys() - used:
            files.pop(prefix).close()
