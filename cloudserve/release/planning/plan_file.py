"""Plan files: a plan is written now, reviewed, and applied later.

The file names its author and time, in JSON that a person can review. It can contain values of the
target's fields, such as a container's environment.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from cloudserve._version import __version__
from cloudserve.errors import ConflictError, UserError
from cloudserve.files import replace_atomically
from cloudserve.hints import printable
from cloudserve.outputs import PLAN, check_output
from cloudserve.release.state.ledger import actor
from cloudserve.release.types import Plan

SCHEMA = 4
"""Since 4 a plan has gates; since 3 an action's `args` are a JSON object."""
TOOL = f"cloudserve {__version__}"
PLAN_AGAIN = "make it again with `cloudserve plan … --out FILE`"


class PlanFile(msgspec.Struct, frozen=True):
    """A plan with who made it, as it is written."""

    plan: Plan
    who: str
    made: datetime
    tool: str = TOOL
    schema: int = SCHEMA


class Header(msgspec.Struct, frozen=True):
    """The part of a plan file that is read before the plan itself."""

    schema: int = SCHEMA
    tool: str = ""


def write_plan(plan: Plan, path: Path | str, who: str | None = None) -> None:
    """Write a plan to a file, atomically; raises UserError if it cannot be written.

    Raises ConflictError if it would replace another file than a plan, or change a model, and for a
    plan of a last known state.
    `who` made it: by default `CLOUDSERVE_ACTOR`, the CI's name for its user, or user@host.
    """
    check_present(plan)
    path = Path(path)
    check_output(path, PLAN, "a plan")
    content = PlanFile(plan, who or actor(os.environ), datetime.now(UTC))
    data = msgspec.json.format(msgspec.json.encode(content, enc_hook=_encode_path), indent=2)
    try:
        replace_atomically(path, data + b"\n")
    except OSError as error:
        raise UserError(
            f"the plan cannot be written: {error.strerror}",
            where=str(path),
            hint="name a file in an existing folder that you may write to",
        ) from error


def check_present(plan: Plan) -> None:
    """Raise ConflictError for a plan that was made from a last known state."""
    if plan.as_of is not None:
        raise ConflictError(
            f"the plan was made offline, from the state of {plan.as_of:%Y-%m-%d %H:%M} UTC: it "
            "cannot be applied",
            where=f"{plan.model} on {plan.target}",
            hint="plan again without --offline",
        )


def read_plan(path: Path | str) -> Plan:
    """Read a plan that was written; raises UserError for another file or schema."""
    try:
        data = Path(path).read_bytes()
        _check_schema(msgspec.json.decode(data, type=Header), path)
        plan_file = msgspec.json.decode(data, type=PlanFile, dec_hook=_decode_path)
    except OSError as error:
        raise UserError(
            f"the plan cannot be read: {error.strerror}", where=str(path), hint=PLAN_AGAIN
        ) from error
    except msgspec.DecodeError as error:
        raise UserError(
            f"the file is not a plan: {error}", where=str(path), hint=PLAN_AGAIN
        ) from error
    return plan_file.plan


def _check_schema(header: Header, path: Path | str) -> None:
    if header.schema != SCHEMA:
        other = header.tool if header.tool != TOOL else ""
        raise UserError(
            f"the plan has schema {header.schema}, and this version reads {SCHEMA}",
            where=str(path),
            hint=f"apply it with {other}, or {PLAN_AGAIN}" if other else PLAN_AGAIN,
        )


def plan_id(plan: Plan) -> str:
    """Return the identity of a plan: the SHA-256 of its content."""
    data = msgspec.json.encode(plan, enc_hook=_encode_path, order="deterministic")
    return hashlib.sha256(data).hexdigest()


def _encode_path(value: Any) -> str:
    if isinstance(value, Path):
        return printable(value)
    raise TypeError(f"a plan holds a {type(value).__name__}")


def _decode_path(kind: type, value: Any) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"not a {kind.__name__}")
