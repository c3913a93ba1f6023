"""A user's own SageMaker container, rehearsed by a local command.

Source: SageMaker developer guide, "Custom Inference Code with Hosting Services" and "… with Batch
Transform": `docker run IMAGE serve`; `/ping`, answered within 2 seconds; `/invocations`; the
model's files in `/opt/ml/model`; the Environment of CreateModel. The port is 8080 there. Here
several containers run side by side, so each gets its own port in SAGEMAKER_BIND_TO_PORT, the
variable from which containers of multi-container endpoints read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve.images.rehearsal import Rehearsal

from .....child_processes import WriteLine, ignore
from .....container import Answer, Invocation
from .....container.container import MODEL_FOLDER
from .....container.environment import container_environment
from .....own_images import Command, CommandServer, Launch, Mount, expand, free_port

PORT = "SAGEMAKER_BIND_TO_PORT"
ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_SERVE = "serve"
_PING, _INVOCATIONS = "/ping", "/invocations"
_PING_SECONDS = 2.0
START_SECONDS = 480.0
"""How long a container may take until `/ping` succeeds, unless its variant sets a time.

The developer guide says 8 minutes (4 in older editions).
"""


@dataclass(frozen=True, slots=True)
class OwnContainerSetup:
    """A container's files and environment."""

    image: str
    tree: Path
    """Its /opt/ml/model."""
    scratch: Path
    """A folder for the container's own use."""
    environment: Mapping[str, str]
    """The model's environment variables."""
    platform: Mapping[str, str]
    """The platform's environment variables."""
    start_seconds: float = START_SECONDS
    write: WriteLine = ignore
    """Takes the lines that the container prints."""


class OwnContainer:
    """One container; it answers like `Container`."""

    def __init__(self, rehearsal: Rehearsal, setup: OwnContainerSetup) -> None:
        """Create the container's folders; blocks."""
        port = free_port()
        home, staging = setup.scratch / "home", setup.scratch / "mount"
        for folder in (home, staging):
            folder.mkdir(parents=True)
        platform = {**setup.platform, PORT: str(port)}
        environment = container_environment(home, setup.environment, platform)
        command = Command(
            setup.image.rpartition("/")[2],
            tuple(expand(word, environment) for word in (*rehearsal.command, _SERVE)),
            rehearsal.folder,
            environment,
            Mount(str(setup.tree), MODEL_FOLDER, str(staging)),
            setup.write,
        )
        launch = Launch(command, port, _PING, setup.start_seconds, _PING_SECONDS)
        self._server = CommandServer(launch)

    async def start(self) -> None:
        """Start the command and wait for its `/ping`; raises ModelError with the reason."""
        await self._server.start()

    async def ping(self) -> Answer:
        """Answer `/ping`: 200 if the command is healthy, else 503."""
        return Answer(200 if await self._server.is_healthy() else 503)

    async def invoke(self, invocation: Invocation) -> Answer:
        """Answer `/invocations`; raises NoAnswerError."""
        fields = {
            "Content-Type": invocation.content_type,
            "Accept": invocation.accept,
            "X-Amzn-SageMaker-Custom-Attributes": invocation.attributes,
        }
        headers = {name: value for name, value in fields.items() if value is not None}
        reply = await self._server.ask("POST", _INVOCATIONS, invocation.body, headers)
        attributes = reply.headers.get(ATTRIBUTES)
        return Answer(reply.status, reply.body, reply.headers.get("content-type"), attributes)

    async def stop(self) -> None:
        """End the command."""
        await self._server.stop()
