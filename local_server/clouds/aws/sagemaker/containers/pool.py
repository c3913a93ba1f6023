"""The containers of the offline endpoints.

A deployment starts all of its containers or none. A container is stopped once no request holds it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError
from cloudserve.images.rehearsal import NO_REHEARSALS, Rehearsal
from cloudserve.savedmodel.signature import Signature

from .....child_processes import WriteLine, ignore
from .....container import Container, Setup, release_of, serving_image_of
from .....inference.observation import Observer, unobserved
from .....monitoring.recording.recorder import Recorder
from .....runtime.options import SessionOptions
from .....status import Code, StatusError
from .....tasks import Usage, to_completion
from ....faults.injected import raise_injected
from ....model_hosting import reason
from ....objects.store.store import ObjectStore
from ...logs.streams import ContainerLogs
from ..endpoints.deployments import Deployment, DeploymentError, Variant
from ..instances import check_machine
from ..multi_container import PRIMARY
from .hosted_models import HostedModels
from .model_data import prepare_model_tree
from .own_container import START_SECONDS, OwnContainer, OwnContainerSetup
from .several import Several

logger = logging.getLogger(__name__)

_MAX_CONCURRENT_STARTS = 3
"""Each start occupies a thread of asyncio's pool, which has at least five."""
_MULTI_MODEL = {"SAGEMAKER_MULTI_MODEL": "true"}


Variables = Callable[[str], Mapping[str, str]]
"""Returns the platform's environment variables in the containers of a region."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a container starts."""

    write: WriteLine = ignore
    """Takes the lines that the container prints."""
    seconds: float = START_SECONDS
    """The start timeout of a user's own container."""
    isolated: bool = False
    """Whether it has no network."""
    observer: Observer = unobserved
    """Called for each request to a model of a SageMaker image."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """The container of an inference component, and where it runs."""

    key: str
    region: str
    component: str
    definition: Mapping[str, Any]
    instance: str | None
    startup: float | None = None
    isolated: bool = False


@dataclass(slots=True)
class Running:
    """A running container and its usage by requests."""

    container: Container | OwnContainer | Several
    folder: Path
    hosted: HostedModels | None
    """The models of a multi-model container."""
    parts: tuple[Running, ...] = ()
    """Each container of a model of several."""
    usage: Usage = field(default_factory=Usage)


class ContainerPool:
    """The running containers by deployment and variant."""

    def __init__(  # noqa: PLR0913  a keyword for each option of the emulator
        self,
        store: ObjectStore,
        folder: Path,
        executor: Executor,
        variables: Variables,
        *,
        session: SessionOptions | None = None,
        install_requirements: bool = False,
        rehearsals: Mapping[str, Rehearsal] = NO_REHEARSALS,
        recorder: Recorder | None = None,
        logs: ContainerLogs | None = None,
    ) -> None:
        self._logs = logs
        self._recorder = recorder
        self._rehearsals = rehearsals
        self._store = store
        self._variables = variables
        self._session = session or SessionOptions()
        self._folder = folder
        self._executor = executor
        self._install = install_requirements
        self._running: dict[str, Running] = {}
        self._turns = asyncio.Semaphore(_MAX_CONCURRENT_STARTS)

    def prepare(self) -> None:
        """Empty the folder: model trees of an earlier process are not reused."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    async def load(self, deployment: Deployment) -> None:
        """Start every variant; if one fails, stop all and raise DeploymentError."""
        try:
            for variant in deployment.all_variants:
                await self._load_variant(deployment, variant)
        except BaseException:
            await self.unload(deployment)
            raise

    def _observer(self, name: str) -> Observer:
        return self._recorder.below(name) if self._recorder else unobserved

    def _write_line(self, deployment: Deployment, variant: Variant, name: str) -> WriteLine:
        if self._logs is None or not deployment.endpoint:
            return ignore
        container = "" if name == PRIMARY else name
        region, endpoint = variant.region, deployment.endpoint
        return self._logs.of_endpoint(region, endpoint, variant.name, deployment.id, container)

    async def _load_variant(self, deployment: Deployment, variant: Variant) -> None:
        try:
            raise_injected()
        except StatusError as fault:
            # A lack of capacity is not the container's failure: SageMaker's message stands alone.
            is_capacity = fault.code is Code.RESOURCE_EXHAUSTED
            raise DeploymentError(
                fault.message if is_capacity else _unhealthy(variant, PRIMARY, fault)
            ) from fault
        if variant.container is None:
            return
        parts: dict[str, Running] = {}
        try:
            for name, definition in variant.containers:
                parts[name] = await self._start_part(deployment, variant, name, definition)
        except BaseException:
            for part in parts.values():
                await self.stop(part)
            raise
        self._running[deployment.key(variant)] = _together(parts, variant.mode)

    async def _start_part(
        self, deployment: Deployment, variant: Variant, name: str, definition: Mapping[str, Any]
    ) -> Running:
        """Start one container of a variant; raises DeploymentError."""
        write = self._write_line(deployment, variant, name)
        try:
            check_machine(definition["Image"], variant.instance)
            terms = Terms(
                write,
                variant.startup or START_SECONDS,
                variant.isolated,
                self._observer(f"{deployment.config}/{variant.name}"),
            )
            return await self.start(definition, variant.region, terms)
        except Exception as error:
            write(f"ERROR: {reason(error)}")
            logger.warning("%s %s failed to start: %s", deployment.key(variant), name, error)
            raise DeploymentError(_unhealthy(variant, name, error)) from error

    async def load_component(self, hosting: Hosting) -> None:
        """Start the container of an inference component; raises DeploymentError.

        One container answers for all copies, as for all instances of a variant.
        """
        write: WriteLine = ignore
        if self._logs is not None:
            write = self._logs.of_component(hosting.region, hosting.component, hosting.key)
        try:
            raise_injected()
            check_machine(hosting.definition["Image"], hosting.instance)
            observer = self._observer(hosting.component)
            terms = Terms(write, hosting.startup or START_SECONDS, hosting.isolated, observer)
            running = await self.start(hosting.definition, hosting.region, terms)
        except Exception as error:
            write(f"ERROR: {reason(error)}")
            logger.warning("component %s failed to start: %s", hosting.component, error)
            if isinstance(error, StatusError) and error.code is Code.RESOURCE_EXHAUSTED:
                raise DeploymentError(error.message) from error
            raise DeploymentError(
                f"The container for inference component {hosting.component} did not pass the ping"
                f" health check. {reason(error)}"
            ) from error
        self._running[hosting.key] = running

    async def unload_component(self, key: str) -> None:
        """Stop a component's container, if it runs, after the requests in progress."""
        running = self._running.pop(key, None)
        if running is not None:
            await self.stop(running)

    async def start(
        self,
        definition: Mapping[str, Any],
        region: str,
        terms: Terms,
        /,
        **extra: str,
    ) -> Running:
        """Start a container from a model's definition, with `extra` environment variables.

        Raises ModelError, AwsError and the object store's errors.
        """
        async with self._turns:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
            try:
                return await self._start(definition, region, folder, extra, terms)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise

    async def _start(
        self,
        definition: Mapping[str, Any],
        region: str,
        folder: Path,
        extra: Mapping[str, str],
        terms: Terms,
    ) -> Running:
        is_multi = definition.get("Mode") == "MultiModel"
        environment = definition.get("Environment", {}) | (_MULTI_MODEL if is_multi else {}) | extra
        tree = folder / "model"
        stage = asyncio.to_thread(prepare_model_tree, self._store, definition, environment, tree)
        await to_completion(stage)
        scratch, platform = folder / "scratch", self._variables(region)
        rehearsal = self._rehearsals.get(definition["Image"])
        if rehearsal is not None:
            own_setup = OwnContainerSetup(
                definition["Image"],
                tree,
                scratch,
                environment,
                platform,
                terms.seconds,
                terms.write,
            )
            own = await asyncio.to_thread(OwnContainer, rehearsal, own_setup)
            await own.start()
            return Running(own, folder, None)
        setup = Setup(
            tree,
            scratch,
            environment,
            platform,
            release_of(definition["Image"]),
            serving_image_of(definition["Image"]),
            install_requirements=self._install,
            network=not terms.isolated,
            session=self._session,
            observer=terms.observer,
            write=terms.write,
        )
        container = Container(setup, self._executor)
        await container.start()
        answer = await container.ping()
        if answer.status != 200:  # noqa: PLR2004 HTTP's OK
            await container.stop()
            raise ModelError(f"/ping answered {answer.status}")
        hosted = HostedModels(self._store, definition, container, folder) if is_multi else None
        return Running(container, folder, hosted)

    async def unload(self, deployment: Deployment) -> None:
        """Stop every variant after the requests in progress."""
        for variant in deployment.all_variants:
            running = self._running.pop(deployment.key(variant), None)
            if running is not None:
                await self.stop(running)

    async def stop(self, running: Running) -> None:
        """Stop a container once no request holds it, and remove its files."""
        await running.usage.unused()
        for part in running.parts or (running,):
            await part.container.stop()
            await asyncio.to_thread(shutil.rmtree, part.folder, ignore_errors=True)

    async def close(self) -> None:
        """Stop every container, at the same time: one may wait for a run that takes long."""
        running = list(self._running.values())
        self._running.clear()
        await asyncio.gather(*(self.stop(each) for each in running))

    @asynccontextmanager
    async def temporary(
        self,
        definition: Mapping[str, Any],
        region: str,
        terms: Terms,
        /,
        **extra: str,
    ) -> AsyncIterator[Running]:
        """Run a container outside of any endpoint during the block; raises as `start`."""
        running = await self.start(definition, region, terms, **extra)
        try:
            yield running
        finally:
            await self.stop(running)

    @contextmanager
    def hold(self, key: str) -> Iterator[Running | None]:
        """Keep a variant's container running during the block; yields None if there is none.

        A request holds its container from the choice until the answer, so that no request fails
        because its container was replaced while it waited for a thread.
        """
        running = self._running.get(key)
        if running is None:
            yield None
            return
        with running.usage.hold():
            yield running

    def signatures(self, key: str) -> Mapping[str, Signature]:
        """Return the signatures of a variant's model; {} if JSON does not reach it unchanged."""
        running = self._running.get(key)
        container = running.container if running else None
        return container.signatures if isinstance(container, Container) else {}

    async def is_healthy(self, deployment: Deployment) -> bool:
        """Return whether every variant runs and passes its ping."""
        for variant in deployment.all_variants:
            if variant.container is None:
                continue
            with self.hold(deployment.key(variant)) as running:
                if running is None or (await running.container.ping()).status != 200:  # noqa: PLR2004
                    return False
        return True

    def is_loaded(self, deployment: Deployment) -> bool:
        """Return whether every variant with a model runs."""
        keys = [deployment.key(v) for v in deployment.all_variants if v.container is not None]
        return all(key in self._running for key in keys)

    def has(self, key: str) -> bool:
        """Return whether the container of a component runs."""
        return key in self._running


def _together(parts: Mapping[str, Running], mode: str) -> Running:
    """Return one container as it is, and several as one."""
    first, *more = parts.values()
    if not more:
        return first
    several = Several({name: part.container for name, part in parts.items()}, mode)
    return Running(several, first.folder, None, tuple(parts.values()))


def _unhealthy(variant: Variant, name: str, error: Exception) -> str:
    shown = "primary container" if name == PRIMARY else name
    return (
        f"The {shown} for production variant {variant.name} did not pass the ping health check."
        f" {reason(error)}"
    )
