"""ServerCore: applies a configuration to the models, and replaces it at run time.

Source: tensorflow_serving/model_servers/server_core.cc. Unlike there, a
new configuration is applied atomically, labels included, and waiting for it may time out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from cloudserve.errors import CloudserveError

from ..config import ModelConfig, ModelServerConfig
from ..status import Code, StatusError
from .lifecycle import Failure, Lifecycle, Sleep
from .manager import Manager
from .rounds import Rounds
from .source import FileSystemSource
from .states import State, VersionState

logger = logging.getLogger(__name__)

Configured = Callable[[ModelServerConfig], None]


class ServerCore:
    """The models of a server. For one event loop; requests go to the manager."""

    def __init__(
        self,
        manager: Manager,
        lifecycle: Lifecycle,
        source: FileSystemSource,
        *,
        labels_may_wait: bool = False,
        configured: Configured | None = None,
    ) -> None:
        """Take the parts; `labels_may_wait` allows a new label of a version not yet available.

        `configured` is called with each configuration that is applied.
        """
        self._manager = manager
        self._lifecycle = lifecycle
        self._source = source
        self._labels_may_wait = labels_may_wait
        self._configured = configured
        self.config = ModelServerConfig(is_given=False)
        """The current configuration."""
        self.start_config = self.config
        """The first configuration that named models, or had an empty list of them."""
        self.is_stopping = False
        """Whether the server is shutting down, which makes it unready."""

    async def reload(self, config: ModelServerConfig, seconds: float | None = None) -> None:
        """Replace the configuration, and wait until every new model is available.

        Models that are left out are unloaded. Raises StatusError: INVALID_ARGUMENT or
        FAILED_PRECONDITION for an invalid configuration, which changes nothing; UNKNOWN if a new
        model failed, and DEADLINE_EXCEEDED after `seconds`, which leave the new configuration in
        force; ABORTED if a later configuration left out an awaited model, where TensorFlow Serving
        would have delayed the later one.
        """
        known = {model.name for model in self.config.models}
        self.apply(config)
        await self._source.poll()
        new = [model.name for model in config.models if model.name not in known]
        try:
            await asyncio.wait_for(self._settle_unless_left_out(new), seconds)
        except TimeoutError:
            raise self._too_late(new, seconds or 0.0) from None
        self.check_available(new, "model")

    def check(self, config: ModelServerConfig) -> None:
        """Raise StatusError, as `reload` does, for a configuration that is invalid at present."""
        config.check(self.config)
        for model in config.models:
            self._check_labels(model)

    def apply(self, config: ModelServerConfig) -> None:
        """Replace the configuration without waiting; raises as `reload` does for an invalid one."""
        self.check(config)
        self.config = config
        if not self.start_config.is_given:
            self.start_config = config
        if self._configured:
            self._configured(config)
        self._manager.label({model.name: model.labels for model in config.models})
        self._source.configure(config.models)

    @property
    def existing(self) -> Mapping[str, frozenset[int]]:
        """Return the versions below each base path as of the last poll, served or not."""
        return self._source.existing

    async def poll(self) -> None:
        """Read the base paths once, and check the files of failed versions."""
        await self._source.poll()
        await self._lifecycle.recheck()

    async def keep_polling(self, seconds: float, sleep: Sleep = asyncio.sleep) -> None:
        """Poll every `seconds` until cancelled."""
        while True:
            await sleep(seconds)
            await self.poll()

    async def follow(
        self,
        read: Callable[[], ModelServerConfig],
        seconds: float,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Apply the result of `read` every `seconds` until cancelled.

        An error is logged once and changes nothing.
        """
        rounds = Rounds(logger, logging.ERROR)
        while True:
            await sleep(seconds)
            try:
                self.apply(await asyncio.to_thread(read))
            except CloudserveError as error:
                rounds.log([f"the configuration is not taken: {error.message}"])
            else:
                rounds.log(())
                await self._source.poll()

    async def settle(self, names: Iterable[str]) -> None:
        """Wait until each of these models is available or has failed."""
        awaited = tuple(names)
        await self._lifecycle.changed.until(
            lambda: all(self._lifecycle.is_settled(name) for name in awaited)
        )

    async def _settle_unless_left_out(self, names: Sequence[str]) -> None:
        def left_out() -> list[str]:
            return [name for name in names if self.config.model(name) is None]

        await self._lifecycle.changed.until(
            lambda: bool(left_out()) or all(map(self._lifecycle.is_settled, names))
        )
        if missing := left_out():
            text = f"a later configuration leaves out {', '.join(missing)}"
            raise StatusError(Code.ABORTED, text)

    async def attempted(self) -> None:
        """Wait until every configured model is available or has nothing left to load."""
        names = [model.name for model in self.config.models]
        await self._lifecycle.changed.until(
            lambda: not any(self._lifecycle.is_pending(name) for name in names)
        )

    def check_available(self, names: Iterable[str], noun: str = "servable") -> None:
        """Raise StatusError (UNKNOWN) that lists the models that failed, if any did."""
        failed = [(name, failure) for name in names if (failure := self.failure(name))]
        if failed:
            reasons = "".join(_reason(name, failure) for name, failure in failed)
            raise StatusError(
                Code.UNKNOWN, f"{len(failed)} {noun}(s) did not become available: {{{reasons}}}"
            )

    def failure(self, name: str) -> Failure | None:
        """Return why a model has no available version: its highest version's failure, if any."""
        if self._lifecycle.is_available(name):
            return None
        return next(iter(self._lifecycle.failures(name)), None)

    def unavailable(self) -> tuple[str, ...]:
        """Return the configured models that have no available version."""
        available = set(self._manager.available())
        return tuple(m.name for m in self.config.models if m.name not in available)

    def models(self) -> dict[str, tuple[VersionState, ...]]:
        """Return the states of every configured model's versions, highest first."""
        return {model.name: self._manager.states(model.name) for model in self.config.models}

    def labels(self, name: str) -> Mapping[str, int]:
        """Return a model's labels and their versions."""
        return self._manager.labels(name)

    def unsettled(self) -> dict[str, str]:
        """Return the configured models that are neither available nor failed, and why."""
        return {
            model.name: self._source.problems.get(
                model.name, f"no version of servable {model.name} under {model.base_path}"
            )
            for model in self.config.models
            if not self._lifecycle.is_settled(model.name)
        }

    async def close(self) -> None:
        """Unload every model; returns after the last request has released its model."""
        self._source.configure(())
        await self._lifecycle.close()

    def _check_labels(self, model: ModelConfig) -> None:
        old = self._manager.labels(model.name)
        states = {state.version: state.state for state in self._manager.states(model.name)}
        for label, version in model.labels.items():
            is_new = old.get(label, version) == version
            if self._labels_may_wait and is_new:
                continue
            if states.get(version) is not State.AVAILABLE:
                raise StatusError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference",
                )

    def _too_late(self, names: Iterable[str], seconds: float) -> StatusError:
        unsettled = self.unsettled()
        reasons = "; ".join(unsettled[name] for name in names if name in unsettled)
        return StatusError(
            Code.DEADLINE_EXCEEDED,
            f"the new models did not become available within {seconds:g} s: {reasons}",
        )


def _reason(name: str, failure: Failure) -> str:
    """Format a failure like TensorFlow Serving's `ServableId::DebugString` and status."""
    code = getattr(failure.error, "code", Code.UNKNOWN)
    return (
        f"{{{{name: {name} version: {failure.version}}} due to error: {code.name}: "
        f"{failure.error}}}, "
    )
