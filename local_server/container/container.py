"""A running container of a model tree."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel.signature import Signature

from ..child_processes import Mount, WriteLine, ignore
from ..inference.observation import Observer, unobserved
from ..runtime.loading.serving_image import ServingImage
from ..runtime.options import SessionOptions
from . import discovery
from .environment import container_environment
from .multi_model import MultiModel
from .nginx.access_log import access_line
from .nginx.script import NginxScript
from .python_service.code import UserCode, prepare, read_code
from .python_service.handlers import Handlers
from .python_service.process import Script
from .python_service.service import PythonService
from .release import Release
from .settings import Settings, read_settings
from .types import Answer, Invocation, error_answer
from .upstream import Upstream

logger = logging.getLogger(__name__)

MODEL_FOLDER = "/opt/ml/model"
"""The model tree's path in the container, which messages show instead of the local path."""
MODELS_FOLDER = "/opt/ml/models"
"""The models' path in a multi-model container."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A container's inputs. `tree` is its /opt/ml/model; of a multi-model container, /opt/ml."""

    tree: Path
    scratch: Path
    """A folder for the container's own files, such as installed packages."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The model's environment variables."""
    platform: Mapping[str, str] = field(default_factory=dict)
    """The platform's environment variables, which the model's cannot override."""
    release: Release = Release.V2_20
    image: ServingImage | None = field(default_factory=ServingImage)
    """The TensorFlow Serving in the image; None for cloudserve's own server."""
    install_requirements: bool = False
    network: bool = True
    """Whether the container may connect to other hosts; pip needs it."""
    session: SessionOptions = field(default_factory=SessionOptions)
    observer: Observer = unobserved
    """Called for each request to one of the models."""
    write: WriteLine = ignore
    """Takes the lines that the container prints."""
    start_seconds: float = 60.0
    """The timeout of importing `inference.py`."""


class Container:
    """One container. Belongs to one event loop; requests run in the executor."""

    def __init__(self, setup: Setup, executor: Executor) -> None:
        """Read the environment; raises ModelError if the image would not start with it."""
        # Absolute: the processes of users' code have other working directories.
        tree, scratch = setup.tree.absolute(), setup.scratch.absolute()
        self._setup = replace(setup, tree=tree, scratch=scratch)
        self.settings: Settings = read_settings(setup.environment)
        batching = self.settings.batching
        self._upstream = Upstream(executor, batching, setup.image, setup.session, setup.observer)
        self._handlers: Handlers | None = None
        self._script: NginxScript | None = None
        default = self.settings.default_model or "None"
        self._service = PythonService(setup.release, self._upstream, default)
        self.models = MultiModel(self._upstream, self.settings, self._start_handlers)
        """The operations of a multi-model container."""

    async def start(self) -> None:
        """Load the models and start the user's code; stop both after a failure.

        Raises ModelError with the reason why the container would fail its health check.
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
        # The lines of the image's serve.py (sagemaker-tensorflow-serving-container#154).
        self._setup.write("INFO:__main__:starting services")
        code = await asyncio.to_thread(read_code, self._setup.tree / "code")
        if self.settings.multi_model:
            await self._upstream.open_ports()
        else:
            await self._load(code)
        if code.needs_service or self.settings.multi_model:
            self._handlers = await self._start_handlers(code, "")

    async def _load(self, code: UserCode) -> None:
        bundles = await asyncio.to_thread(discovery.find, self._setup.tree)
        default = self.settings.default_model or bundles[0].model
        self._setup.write(f"INFO:__main__:using default model name: {default}")
        await self._upstream.load(bundles)
        if code.needs_service:
            await self._upstream.open_ports()
            self._service = PythonService(self._setup.release, self._upstream, default)
        else:
            self._script = NginxScript(self._setup.release, self._upstream, default)

    async def _start_handlers(self, code: UserCode, model: str) -> Handlers | None:
        """Start the processes of a `code` folder; return None if it has no `inference.py`."""
        setup = self._setup
        site = setup.scratch / f"site-packages-{model}"
        environment = await asyncio.to_thread(self._environment)
        folders = await asyncio.to_thread(
            lambda: prepare(
                code,
                site,
                environment,
                install=setup.install_requirements,
                # The image installs no requirements of a single model of many.
                network=setup.network or bool(model),
            )
        )
        if code.script is None:
            return None
        staging = await asyncio.to_thread(self._subfolder, "mount")
        script = Script(
            code.script,
            folders,
            environment,
            Mount(str(setup.tree), self._folder, str(staging)),
            checks_status=setup.release is not Release.V2_19,
            name=f"{model} inference.py".strip(),
            write=setup.write,
        )
        handlers = Handlers(script, self.settings.workers, self.settings.answer_seconds)
        started = time.monotonic()
        await handlers.start(setup.start_seconds)
        logger.info("inference.py was imported in %.1f seconds", time.monotonic() - started)
        return handlers

    @property
    def _folder(self) -> str:
        return MODELS_FOLDER if self.settings.multi_model else MODEL_FOLDER

    def _environment(self) -> dict[str, str]:
        setup = self._setup
        return container_environment(self._subfolder("home"), setup.environment, setup.platform)

    def _subfolder(self, name: str) -> Path:
        """Create a folder in the scratch folder, and return it."""
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
        answer = await self._invoke(invocation)
        self._setup.write(access_line("/invocations", answer, datetime.now(UTC)))
        return answer

    async def _invoke(self, invocation: Invocation) -> Answer:
        if self._script is not None:
            return await self._script.invoke(invocation)
        if self.settings.multi_model:
            return error_answer(400, "Invocation request does not contain model name.")
        return await self._service.invoke(self._handlers, invocation)

    async def invoke_model(self, model: str, invocation: Invocation) -> Answer:
        """Answer `/models/{model}/invoke` of a multi-model container."""
        answer = await self._invoke_model(model, invocation)
        self._setup.write(access_line(f"/models/{model}/invoke", answer, datetime.now(UTC)))
        return answer

    async def _invoke_model(self, model: str, invocation: Invocation) -> Answer:
        with self.models.hold(model) as loaded:
            if loaded is None:
                return error_answer(404, f"Model {model} is not loaded yet.")
            handlers = loaded.handlers or self._handlers
            return await self._service.invoke(handlers, invocation, model)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Return the signatures of the model that JSON reaches unchanged; {} behind user's code."""
        if self._script is None:
            return {}
        return self._upstream.signatures(self.settings.default_model or self._upstream.models[0])

    @property
    def has_script(self) -> bool:
        """Return whether the nginx script answers, not the Python service."""
        return self._script is not None

    async def stop(self) -> None:
        """End the user's processes and unload the models after the requests in progress."""
        if self._handlers is not None:
            await self._handlers.close()
        await self.models.close()
        await self._upstream.close()
