"""The view of a model server."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from cloudserve._version import __version__

from ..batching import BatchedModel
from ..config import ModelConfig
from ..models import Manager, State, Version
from ..models.core import ServerCore
from ..monitoring.monitor import Monitor
from ..monitoring.recording.recent import SavedRequest
from .model_changes import ModelChanges, ShownChange
from .models_view import ModelRow, VersionCard, describe_policy, describe_version, list_models
from .traffic import TrafficMeter, Waiting, read_batching
from .view import Address, Parts, ServerFacts, Tick, read_process, tensorflow_version

_MODELS = "models"
_CHANGES = "changes"
_REQUESTS = "requests"
_DETAIL_WORDS = 3
_NO_BATCHING = "off"


@dataclass(frozen=True, slots=True)
class ServerParts:
    """The parts of a model server that are shown."""

    manager: Manager
    core: ServerCore
    monitor: Monitor
    addresses: Callable[[], tuple[Address, ...]]
    changes: ModelChanges


class ServerView:
    """Snapshots of a model server (a View). It reads what the parts report, in any thread."""

    def __init__(
        self, parts: ServerParts, *, kind: str, batching: str = _NO_BATCHING, has_docs: bool = False
    ) -> None:
        """Take the parts, the command, the rules of batching, and whether `/docs` exists."""
        self._kind = kind
        self._manager = parts.manager
        self._core = parts.core
        self._monitor = parts.monitor
        self._addresses = parts.addresses
        self._changes = parts.changes
        self._batching = batching
        self._has_docs = has_docs
        self._started = time.time()

    def follow(self) -> Tick:
        """Return a function of this moment's parts; see View."""
        facts = self._facts()
        metrics, recent = self._monitor.metrics, self._monitor.recent
        meter = TrafficMeter(metrics, time.time()) if metrics else None

        def read() -> Parts:
            parts = {"server": facts, "process": read_process(), "models": self._models()}
            if metrics is not None and meter is not None:
                parts["traffic"] = meter.read(time.time())
                if self._batching != _NO_BATCHING:
                    parts["batching"] = read_batching(
                        self._batching, metrics.batches, self._waiting()
                    )
            if recent is not None:
                parts["requests"] = recent.listed()
            return parts

        return partial(asyncio.to_thread, read)

    def opened(self, pages: int) -> None:
        """Do nothing: what is shown is counted anyway."""

    def detail(self, words: tuple[str, ...]) -> VersionCard | ShownChange | SavedRequest | None:
        """Return the signatures of `models/NAME/VERSION`, or a change as it would be performed.

        A change is `changes/ACTION/MODEL/VERSION/LABEL`. `requests/ID` is the golden file of a
        recorded request.
        """
        if words[0] == _CHANGES:
            return self._changes.show(words[1:])
        if words[0] == _REQUESTS:
            return self._saved(words[1:])
        if len(words) != _DETAIL_WORDS or words[0] != _MODELS:
            return None
        found = (each for each in self._manager.versions() if _key(each) == words[1:])
        each = next(found, None)
        return None if each is None else describe_version(each)

    def _saved(self, words: tuple[str, ...]) -> SavedRequest | None:
        recent = self._monitor.recent
        if recent is None or len(words) != 1 or not words[0].isdecimal():
            return None
        return recent.saved(int(words[0]))

    def _models(self) -> object:
        config = self._core.config
        labels = {model.name: self._manager.labels(model.name) for model in config.models}
        names = [model.name for model in config.models]
        rows = list_models(names, self._current(), labels, self._core.unsettled())
        by_name = {model.name: model for model in config.models}
        # A model that was left out may not be unloaded yet.
        return tuple(
            self._with_choice(row, by_name[row.name]) if row.name in by_name else row
            for row in rows
        )

    def _with_choice(self, row: ModelRow, model: ModelConfig) -> ModelRow:
        """Add which versions the configuration chooses."""
        found = self._core.existing.get(row.name, frozenset())
        left = sorted(found - model.policy.choose(found), reverse=True)
        return replace(
            row,
            policy=describe_policy(model.policy),
            unserved=tuple(map(str, left)),
            labels=tuple(sorted(model.labels)),
        )

    def _current(self) -> list[Version]:
        """Return the versions without those that were unloaded; failures stay."""
        return [
            each
            for each in self._manager.versions()
            if each.status.state is not State.END or each.status.message
        ]

    def _waiting(self) -> Iterator[Waiting]:
        for each in self._manager.versions():
            if isinstance(each.model, BatchedModel):
                yield Waiting(*_key(each), each.model.waiting)

    def _facts(self) -> ServerFacts:
        recent = self._monitor.recent
        return ServerFacts(
            self._kind,
            __version__,
            tensorflow_version(),
            os.getpid(),
            self._started,
            self._addresses(),
            self._monitor.path,
            has_docs=self._has_docs,
            counts_traffic=self._monitor.metrics is not None,
            records=recent is not None,
            takes_changes=True,
        )


def _key(each: Version) -> tuple[str, str]:
    return each.name, str(each.status.version)
