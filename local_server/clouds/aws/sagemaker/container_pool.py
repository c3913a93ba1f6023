"""The containers of the offline endpoints: laid out from the bucket, started, held, stopped.

A deployment is started whole or not at all. A container is stopped once no request holds it.
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
from cloudserve.rehearsal import NO_REHEARSALS, Rehearsal

from ....container import Container, Setup, release_of, serving_image_of
from ....runtime.options import SessionOptions
from ....status import Code, StatusError
from ....tasks import Usage, to_completion
from ...faults.injected import raise_injected
from ...model_hosting import reason
from ...objects.store.store import ObjectStore
from ..protocol.arns import DEFAULT_REGION
from . import deployments
from .deployments import DeploymentError
from .hosted_models import HostedModels
from .images import check_device
from .model_data import lay_model
from .own_container import START_SECONDS, OwnContainer, Placed

logger = logging.getLogger(__name__)

_AT_ONCE = 3
"""Starts at the same time: each keeps a thread of asyncio's pool, which has at least five."""
_MULTI_MODEL = {"SAGEMAKER_MULTI_MODEL": "true"}


Variables = Callable[[str], Mapping[str, str]]
"""Returns what the platform sets in containers of a region."""


@dataclass(slots=True)
class Running:
    """A container that serves, and who holds it."""

    container: Container | OwnContainer
    folder: Path
    hosted: HostedModels | None
    """The models of a multi-model container."""
    usage: Usage = field(default_factory=Usage)


class Fleet:
    """The containers that run, by deployment and variant."""

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
    ) -> None:
        self._rehearsals = rehearsals
        self._store = store
        self._variables = variables
        self._session = session or SessionOptions()
        self._folder = folder
        self._executor = executor
        self._install = install_requirements
        self._running: dict[str, Running] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def prepare(self) -> None:
        """Start with an empty folder; what an earlier process fetched is of no use."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    async def load(self, deployment: Mapping[str, Any]) -> None:
        """Start every variant; raises DeploymentError, and then none runs."""
        try:
            for variant in deployments.variants(deployment):
                await self._load_variant(deployment, variant)
        except BaseException:
            await self.unload(deployment)
            raise

    async def _load_variant(
        self, deployment: Mapping[str, Any], variant: Mapping[str, Any]
    ) -> None:
        key = deployments.key(deployment, variant["name"])
        try:
            raise_injected()
        except StatusError as planned:
            # What lacks is not the container's fault: SageMaker's own words stand alone.
            is_capacity = planned.code is Code.RESOURCE_EXHAUSTED
            raise DeploymentError(
                planned.message if is_capacity else _unhealthy(variant, planned)
            ) from planned
        region = variant.get("region", DEFAULT_REGION)  # not in folders of an older version
        try:
            check_device(variant["container"]["Image"], variant.get("instance"))
            seconds = variant.get("startup") or START_SECONDS
            self._running[key] = await self.start(variant["container"], region, seconds)
        except Exception as error:
            logger.warning("%s failed to start: %s", key, error)
            raise DeploymentError(_unhealthy(variant, error)) from error

    async def start(
        self,
        definition: Mapping[str, Any],
        region: str,
        seconds: float = START_SECONDS,
        /,
        **extra: str,
    ) -> Running:
        """Start a container as a model of a region defines it, with `extra` variables.

        `seconds` is how long one of the user's own may take. Raises ModelError, AwsError, or
        whatever the object store has to say.
        """
        async with self._turns:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
            try:
                return await self._start(definition, region, folder, extra, seconds)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise

    async def _start(
        self,
        definition: Mapping[str, Any],
        region: str,
        folder: Path,
        extra: Mapping[str, str],
        seconds: float,
    ) -> Running:
        is_multi = definition.get("Mode") == "MultiModel"
        environment = definition.get("Environment", {}) | (_MULTI_MODEL if is_multi else {}) | extra
        tree = folder / "model"
        stage = asyncio.to_thread(lay_model, self._store, definition, environment, tree)
        await to_completion(stage)
        scratch, platform = folder / "scratch", self._variables(region)
        rehearsal = self._rehearsals.get(definition["Image"])
        if rehearsal is not None:
            placed = Placed(definition["Image"], tree, scratch, environment, platform, seconds)
            own = await asyncio.to_thread(OwnContainer, rehearsal, placed)
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
            session=self._session,
        )
        container = Container(setup, self._executor)
        await container.start()
        answer = await container.ping()
        if answer.status != 200:  # noqa: PLR2004 HTTP's OK
            await container.stop()
            raise ModelError(f"/ping answered {answer.status}")
        hosted = HostedModels(self._store, definition, container, folder) if is_multi else None
        return Running(container, folder, hosted)

    async def unload(self, deployment: Mapping[str, Any]) -> None:
        """Stop every variant; requests under way end first."""
        for variant in deployments.variants(deployment):
            running = self._running.pop(deployments.key(deployment, variant["name"]), None)
            if running is not None:
                await self.stop(running)

    async def stop(self, running: Running) -> None:
        """Stop a container once nobody holds it, and remove its files."""
        await running.usage.unused()
        await running.container.stop()
        await asyncio.to_thread(shutil.rmtree, running.folder, ignore_errors=True)

    async def close(self) -> None:
        """Stop every container."""
        while self._running:
            _, running = self._running.popitem()
            await self.stop(running)

    @asynccontextmanager
    async def once(
        self, definition: Mapping[str, Any], region: str, /, **extra: str
    ) -> AsyncIterator[Running]:
        """Run a container that no endpoint has, while the block runs; raises as `start`."""
        running = await self.start(definition, region, **extra)
        try:
            yield running
        finally:
            await self.stop(running)

    @contextmanager
    def hold(self, key: str) -> Iterator[Running | None]:
        """Keep a variant's container from being stopped while the block runs; None for none.

        A request holds it from the moment it chose it until it is answered, so that none fails
        because its container was replaced while it waited for a thread.
        """
        running = self._running.get(key)
        if running is None:
            yield None
            return
        with running.usage.hold():
            yield running

    async def is_healthy(self, deployment: Mapping[str, Any]) -> bool:
        """Say whether every variant runs and answers its ping."""
        for variant in deployments.variants(deployment):
            with self.hold(deployments.key(deployment, variant["name"])) as running:
                if running is None or (await running.container.ping()).status != 200:  # noqa: PLR2004
                    return False
        return True

    def is_loaded(self, deployment: Mapping[str, Any]) -> bool:
        """Say whether every variant runs."""
        keys = (deployments.key(deployment, v["name"]) for v in deployments.variants(deployment))
        return all(key in self._running for key in keys)


def _unhealthy(variant: Mapping[str, Any], error: Exception) -> str:
    return (
        f"The primary container for production variant {variant['name']} did not pass the ping"
        f" health check. {reason(error)}"
    )
