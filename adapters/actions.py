"""Actions with types: an adapter's tagged structs <-> the core's `Action`."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.types import Action

TAG = "type"
"""The key under which msgspec puts a struct's tag: the action's kind."""


def kind_of(name: str) -> str:
    """Return the kind of an action from its type's name: `create-model` of `CreateModel`."""
    return re.sub(r"(?<=.)(?=[A-Z])", "-", name).lower()


class AnyStep(msgspec.Struct, frozen=True, omit_defaults=True, tag=kind_of):
    """The arguments of an action; the type says which."""


class ModelStep(AnyStep, frozen=True):
    """A step for one model."""

    model: str


class RevisionStep(ModelStep, frozen=True):
    """A step for one revision of a model."""

    revision: str


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


def out_of_date(message: str, where: str) -> ConflictError:
    """Return the error of an action whose plan no longer fits the platform."""
    hint = "run the same command again: the plan is out of date"
    return ConflictError(message, where=where, hint=hint)
