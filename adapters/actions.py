"""Actions with types: an adapter's tagged structs <-> the core's `Action`."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudserve.errors import UserError
from cloudserve.release.types import Action

TAG = "type"
"""The key under which msgspec puts a struct's tag: the action's kind."""


def planned(step: msgspec.Struct, sentence: str, undo: str = "", *, name: str = "") -> Action:
    """Return a step as an action of a plan; its id is `name`, by default the kind."""
    args = msgspec.to_builtins(step)
    return Action(args.pop(TAG), sentence, args, undo, id=name)


def typed(action: Action, steps: Any, platform: str) -> Any:
    """Return an action as one of the union `steps`.

    Raises UserError for an unknown kind, and for args that do not fit its fields.
    """
    try:
        return msgspec.convert({**action.args, TAG: action.kind}, steps)
    except msgspec.ValidationError as error:
        raise UserError(
            f"{platform} does not know the action `{action.kind}`: {error}",
            hint="make the plan again",
        ) from error
