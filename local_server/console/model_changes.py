"""Changes of a server's models from the page: load, unload, labels.

A change is shown first, as the `ModelServerConfig` that does the same in a
`HandleReloadConfigRequest` or in `--model_config_file`, and performed only if it is still what was
shown. The server's core checks and applies it atomically, as any other configuration.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import msgspec

from cloudserve.errors import CloudserveError

from ..config import ModelServerConfig, Specific
from ..config.changes import Existing, ModelChange, changed_config
from ..config.writing import to_text
from ..models.core import ServerCore
from ..status import Code, StatusError
from ..transport.types import Request, Response
from .app import Change

logger = logging.getLogger(__name__)

_JSON = "application/json"
_WORDS = ("action", "model", "version", "label")
_UNTIL_RESTART = "It lasts until the server is restarted or gets another configuration."


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change before it is performed."""

    config: str
    """The whole configuration after it, in text form; "" if it is refused."""
    id: str
    """What the page sends back to perform exactly this."""
    remarks: tuple[str, ...] = ()
    refusal: str = ""


class ModelChanges:
    """Shows and performs changes of a core's models. For the loop's thread."""

    def __init__(self, core: ServerCore, followed: Path | None = None) -> None:
        """Take the core, and the configuration file that it reads again and again, if any."""
        self._core = core
        self._followed = followed

    def changes(self) -> Mapping[str, Change]:
        """Return the changes of the console's API, by method and path."""
        return {"POST models": self._perform}

    def show(self, words: tuple[str, ...]) -> ShownChange | None:
        """Return the change at `ACTION/MODEL/VERSION/LABEL`; None if these are not four words."""
        if len(words) != len(_WORDS):
            return None
        return self._shown(ModelChange(*words))

    def _shown(self, change: ModelChange) -> ShownChange:
        try:
            config = self._config(change)
        except CloudserveError as error:
            return ShownChange("", "", refusal=error.message)
        text = to_text(config)
        return ShownChange(text, _id(change, text), tuple(self._remarks(config, change)))

    def _config(self, change: ModelChange) -> ModelServerConfig:
        """Return the configuration after a change, which the core would take now."""
        core = self._core
        if self._followed is not None:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"This server reads {self._followed} again and again, and would undo the change: "
                "change the file",
            )
        if core.is_stopping:
            raise StatusError(Code.FAILED_PRECONDITION, "The server is shutting down")
        existing = Existing(core.config, core.start_config, core.existing)
        config = changed_config(existing, change)
        core.check(config)
        return config

    def _remarks(self, config: ModelServerConfig, change: ModelChange) -> list[str]:
        before, after = self._core.config.model(change.model), config.model(change.model)
        assert before is not None
        assert after is not None
        remarks = [_UNTIL_RESTART]
        if isinstance(after.policy, Specific) and not isinstance(before.policy, Specific):
            remarks.append(
                f"From then on new versions under {after.base_path} are not served by themselves: "
                "the policy names versions."
            )
        found = self._core.existing.get(change.model, ())
        if not after.policy.choose(found):
            remarks.append(f"No version of {change.model} is left: its requests are not answered.")
        return remarks

    async def _perform(self, request: Request) -> Response:
        try:
            fields = msgspec.json.decode(request.content, type=dict[str, str])
            change = ModelChange(*(fields.pop(word, "") for word in _WORDS))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _refuse(HTTPStatus.BAD_REQUEST, "The body is not an object of texts.")
        shown = self._shown(change)
        if shown.refusal:
            return _refuse(HTTPStatus.CONFLICT, shown.refusal)
        if fields != {"id": shown.id}:
            text = "This is not the change that was shown, or the configuration has changed since."
            return _refuse(HTTPStatus.CONFLICT, text)
        # Nothing was awaited since the check, so no other change comes in between.
        self._core.apply(self._config(change))
        logger.info("the console's page changed the models: %s", change)
        await asyncio.shield(self._core.poll())
        return Response(HTTPStatus.OK, msgspec.json.encode({"config": shown.config}), _JSON)


def _id(change: ModelChange, text: str) -> str:
    return sha256(msgspec.json.encode([asdict(change), text])).hexdigest()


def _refuse(status: int, message: str) -> Response:
    return Response(status, msgspec.json.encode({"error": message}), _JSON)
