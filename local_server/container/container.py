"""One running container: started on a model tree, asked, stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from cloudserve.errors import ModelError

from ..runtime.options import SessionOptions
from ..runtime.serving_image import ServingImage
from . import discovery
from .environment import container_environment
from .multi_model import MultiModel
from .nginx.app import ScriptFace
from .nouns import Answer, Invocation, error_answer
from .python_service.app import ServiceFace
from .python_service.code import UserCode, prepare, read_code
from .python_service.handlers import Handlers
from .python_service.process import ModelFolder, Script
from .release import Release
from .settings import Settings, read_settings
from .upstream import Upstream

logger = logging.getLogger(__name__)

MODEL_FOLDER = "/opt/ml/model"
"""Where the model tree lies in the container: what messages say instead of this machine's path."""
MODELS_FOLDER = "/opt/ml/models"
"""Where it lies in a container of many models."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a container is started with. `tree` is its /opt/ml/model, or for many models /opt/ml."""

    tree: Path
    scratch: Path
    """A folder of its own for what it installs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The model's own variables."""
    platform: Mapping[str, str] = field(default_factory=dict)
    """What the platform sets besides, and a model's variables do not change."""
    release: Release = Release.V2_20
    image: ServingImage | None = field(default_factory=ServingImage)
    """The TensorFlow Serving in the image; None for cloudserve's own server."""
    install_requirements: bool = False
    session: SessionOptions = field(default_factory=SessionOptions)
    start_seconds: float = 60.0
    """How long `inference.py` may take to be imported."""


class Container:
    """One container. For one event loop; requests run in the executor."""

    def __init__(self, setup: Setup, executor: Executor) -> None:
        """Read the environment; raises ModelError for what the image would not start with."""
        # Absolute: the processes of users' code stand in other directories.
        tree, scratch = setup.tree.absolute(), setup.scratch.absolute()
        self._setup = replace(setup, tree=tree, scratch=scratch)
        self.settings: Settings = read_settings(setup.environment)
        batching = self.settings.batching
        self._upstream = Upstream(executor, batching, setup.image, setup.session)
        self._handlers: Handlers | None = None
        self._script: ScriptFace | None = None
        default = self.settings.default_model or "None"
        self._service = ServiceFace(setup.release, self._upstream, default)
        self.models = MultiModel(self._upstream, self.settings, self._start_handlers)
        """The operations of a multi-model container."""

    async def start(self) -> None:
        """Load the models and start the user's code; nothing is left after a failure.

        Raises ModelError with the reason: the container would not pass its health check.
        """
        try:
            await self._start()
        except ModelError as error:
            await self.stop()
            message = error.message.replace(str(self._setup.tree), MODEL_FOLDER)
            raise ModelError(message, hint=error.hint) from error
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        code = await asyncio.to_thread(read_code, self._setup.tree / "code")
        if self.settings.multi_model:
            await self._upstream.open_ports()
        else:
            await self._load(code)
        if code.wants_service or self.settings.multi_model:
            self._handlers = await self._start_handlers(code, "")

    async def _load(self, code: UserCode) -> None:
        bundles = await asyncio.to_thread(discovery.find, self._setup.tree)
        await self._upstream.load(bundles)
        default = self.settings.default_model or bundles[0].model
        if code.wants_service:
            await self._upstream.open_ports()
            self._service = ServiceFace(self._setup.release, self._upstream, default)
        else:
            self._script = ScriptFace(self._setup.release, self._upstream, default)

    async def _start_handlers(self, code: UserCode, model: str) -> Handlers | None:
        """Start the processes of a `code` folder; None for one without `inference.py`."""
        setup = self._setup
        site = setup.scratch / f"site-packages-{model}"
        environment = await asyncio.to_thread(self._environment)
        folders = await asyncio.to_thread(
            lambda: prepare(code, site, environment, install=setup.install_requirements)
        )
        if code.script is None:
            return None
        script = Script(
            code.script,
            folders,
            environment,
            ModelFolder(setup.tree, self._folder, await asyncio.to_thread(self._made, "mount")),
            checks_status=setup.release is not Release.V2_19,
            name=f"{model} inference.py".strip(),
        )
        handlers = Handlers(script, self.settings.workers, self.settings.answer_seconds)
        began = time.monotonic()
        await handlers.start(setup.start_seconds)
        logger.info("inference.py was imported in %.1f seconds", time.monotonic() - began)
        return handlers

    @property
    def _folder(self) -> str:
        return MODELS_FOLDER if self.settings.multi_model else MODEL_FOLDER

    def _environment(self) -> dict[str, str]:
        setup = self._setup
        return container_environment(self._made("home"), setup.environment, setup.platform)

    def _made(self, name: str) -> Path:
        """Return a folder of the container's own."""
        folder = self._setup.scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def ping(self, invocation: Invocation = Invocation()) -> Answer:  # noqa: B008 frozen
        """Answer `/ping`."""
        if self._script is not None:
            return await self._script.ping(invocation)
        return self._service.ping()

    async def invoke(self, invocation: Invocation) -> Answer:
        """Answer `/invocations`."""
        if self._script is not None:
            return await self._script.invoke(invocation)
        if self.settings.multi_model:
            return error_answer(400, "Invocation request does not contain model name.")
        return await self._service.invoke(self._handlers, invocation)

    async def invoke_model(self, model: str, invocation: Invocation) -> Answer:
        """Answer `/models/{model}/invoke` of a multi-model container."""
        with self.models.hold(model) as loaded:
            if loaded is None:
                return error_answer(404, f"Model {model} is not loaded yet.")
            handlers = loaded.handlers or self._handlers
            return await self._service.invoke(handlers, invocation, model)

    @property
    def has_script(self) -> bool:
        """Say whether nginx's script answers, and no Python service."""
        return self._script is not None

    async def stop(self) -> None:
        """End the user's processes and free the models, requests under way first."""
        if self._handlers is not None:
            await self._handlers.close()
        await self.models.close()
        await self._upstream.close()
