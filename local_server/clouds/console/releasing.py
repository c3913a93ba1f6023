"""Promotions and rollbacks from the page, by the verbs of the library.

A plan is made and shown first. It is carried out only if it is still up to date, which the library
checks, and only to the offline clouds themselves: a plan for any other destination is refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shlex
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from cloudserve.errors import CloudserveError, GateRefusedError
from cloudserve.hints import in_environment
from cloudserve.interruption import Interruption, interruptible
from cloudserve.project import load_project
from cloudserve.project.environments import VARIABLE

from ...console.app import Change
from ...reloaded_file import Stamp, file_stamp
from ...transport.types import Request, Response

if TYPE_CHECKING:
    from cloudserve.release.types import Plan

logger = logging.getLogger(__name__)

W = TypeVar("W")
D = TypeVar("D")

_JSON = "application/json"
_MOST_PLANS = 16
_MOST_LINES = 200
_REMARK = "# with the variables that cloudserve emulate printed\n"
"""Above a command: without them it would release to the real cloud."""
_END_SECONDS = 3.0
"""The time that an interrupted release has to record its end."""
_MOST_AT_ONCE = 2
"""A release, and a plan beside it; more plans wait."""
_ELSEWHERE = ("AWS_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST", "MLFLOW_")
"""Prefixes of the variables that name accounts and endpoints: only the clouds' own are used."""


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """The models and targets of the project file; `problem` if it cannot be read."""

    file: str
    models: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    environment: str = ""
    """The environment that CLOUDSERVE_ENV chooses; "" if there is none."""
    problem: str = ""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The release that the page asks for."""

    operation: Literal["promote", "rollback"]
    model: str
    target: str
    version: str = ""
    percent: int = 100
    environment: str | None = None
    """An environment of the project file, "" for none; None for that of CLOUDSERVE_ENV."""


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """A plan before it is carried out."""

    id: str
    destination: str
    environment: str
    title: str
    actions: tuple[str, ...]
    gates: tuple[str, ...]
    warnings: tuple[str, ...]
    command: str
    """The command that does the same."""


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """The end of a release; what it did is in its ledger."""

    is_done: bool
    lines: tuple[str, ...]
    error: str = ""


def _new_threads() -> ThreadPoolExecutor:
    # The loop's own threads answer the calls of these: plans that filled them would wait for ever.
    return ThreadPoolExecutor(_MOST_AT_ONCE, "releasing")


@dataclass(slots=True)
class Releasing:
    """Plans and carries out releases of a project. For the loop's thread."""

    file: Path | None
    """The project file; None if there is none."""
    environment: Callable[[], Mapping[str, str]]
    """Returns the variables that point clients at the offline clouds."""
    url: Callable[[], str]
    _plans: OrderedDict[str, Plan] = field(default_factory=OrderedDict)
    _read: tuple[Stamp | None, ProjectRow | None] = (None, None)
    _threads: ThreadPoolExecutor = field(default_factory=_new_threads)
    _running: asyncio.Future[CarriedOut] | None = None
    """The last release, which continues if its page is closed."""
    _interruption: Interruption = field(default_factory=Interruption)
    """Stops the last release."""

    def changes(self) -> Mapping[str, Change]:
        """Return the changes of the console's API, by method and path."""
        if self.file is None:
            return {}
        return {"POST releases/plan": self._plan, "POST releases/apply": self._apply}

    async def close(self) -> None:
        """Interrupt the release that is being carried out, and wait until its end is recorded.

        Call it while the clouds still answer.
        """
        if self._running is not None and not self._running.done():
            self._interruption.request()
            await asyncio.wait({self._running}, timeout=_END_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def project(self) -> ProjectRow | None:
        """Read the project file, if it has changed; None if there is none. Blocks."""
        if self.file is None:
            return None
        stamp = file_stamp(self.file)
        if self._read[1] is None or stamp != self._read[0]:
            self._read = stamp, _row(self.file)
        return self._read[1]

    async def _plan(self, request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(request.content, type=Wanted)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _answer(HTTPStatus.BAD_REQUEST, {"error": f"This is not a release: {error}"})
        try:
            plan = await self._in_thread(self._made, wanted)
        except CloudserveError as error:
            chosen = wanted.environment
            chosen = os.environ.get(VARIABLE, "") if chosen is None else chosen
            text = in_environment(_text(error), chosen)
            return _answer(HTTPStatus.CONFLICT, {"error": text})
        if refusal := self._refusal(plan):
            return _answer(HTTPStatus.CONFLICT, {"error": refusal})
        key = secrets.token_urlsafe(12)
        self._plans[key] = plan
        while len(self._plans) > _MOST_PLANS:
            self._plans.popitem(last=False)
        return _answer(HTTPStatus.OK, self._shown(key, plan, wanted))

    def _made(self, wanted: Wanted) -> Plan:
        from cloudserve import api

        assert self.file is not None
        return api.plan(
            load_project(self.file, environment=wanted.environment),
            wanted.model,
            wanted.target,
            wanted.operation,
            version=wanted.version or None,
            percent=wanted.percent,
            environ=self._environ(),
        )

    def _refusal(self, plan: Plan) -> str:
        """Return why a plan is not carried out from here; "" if it may be."""
        there = plan.destination
        if there is None or there.endpoint.rstrip("/") != self.url():
            return f"The target {plan.target} is not on these offline clouds: {there or 'unknown'}"
        if plan.alias:
            alias = f"The alias `{plan.alias}` of MLflow's registry would follow"
            return f"{alias}, which is not offline: run the command"
        return ""

    async def _apply(self, request: Request) -> Response:
        try:
            key = msgspec.json.decode(request.content, type=dict[str, str]).get("id", "")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _answer(HTTPStatus.BAD_REQUEST, {"error": "The body is not an object of texts."})
        if self._running is not None and not self._running.done():
            text = "A release is being carried out from a page: wait for its end."
            return _answer(HTTPStatus.CONFLICT, {"error": text})
        plan = self._plans.pop(key, None)
        if plan is None:
            text = "There is no such plan, or it was carried out: make a new one."
            return _answer(HTTPStatus.CONFLICT, {"error": text})
        self._interruption = Interruption()
        self._running = self._in_thread(self._carry_out, plan)
        return _answer(HTTPStatus.OK, await asyncio.shield(self._running))

    def _in_thread(self, work: Callable[[W], D], about: W) -> asyncio.Future[D]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, about)

    def _carry_out(self, plan: Plan) -> CarriedOut:
        from cloudserve import api

        assert self.file is not None
        lines: list[str] = []
        interruption = self._interruption

        def notify(line: str) -> None:
            interruption.check()
            lines.append(line)

        try:
            # That of the plan, whatever a page or the shell chooses by now.
            project = load_project(self.file, environment=_environment(plan))
            with interruptible(interruption):
                api.apply(project, plan, environ=self._environ(), notify=notify)
        except KeyboardInterrupt as error:
            notes: list[str] = getattr(error, "__notes__", [])
            told = tuple(line for note in notes for line in note.splitlines())
            logger.warning("the %s was interrupted: %s", _title(plan), "; ".join(told))
            return CarriedOut(False, (*lines[-_MOST_LINES:], *told), "The release was interrupted.")
        except CloudserveError as error:
            more = error.verdicts if isinstance(error, GateRefusedError) else ()
            told = tuple(verdict.sentence for verdict in more)
            text = in_environment(_text(error), _environment(plan))
            return CarriedOut(False, (*lines[-_MOST_LINES:], *told), text)
        return CarriedOut(True, tuple(lines[-_MOST_LINES:]))

    def _environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_ELSEWHERE)}
        return {**kept, **self.environment()}

    def _shown(self, key: str, plan: Plan, wanted: Wanted) -> ShownPlan:
        title = _title(plan)
        return ShownPlan(
            key,
            str(plan.destination),
            _environment(plan),
            title if plan.actions else f"{title}: there is nothing to do",
            tuple(action.sentence for action in plan.actions),
            tuple(gate.sentence for gate in plan.gates),
            (*plan.warnings, *plan.breaking),
            self._command(plan, wanted),
        )

    def _command(self, plan: Plan, wanted: Wanted) -> str:
        """Return the command for the revision that is shown, whatever is the newest by then."""
        assert self.file is not None
        words = ["cloudserve", wanted.operation, plan.model, "-t", plan.target]
        words += ["--version" if wanted.operation == "promote" else "--to", plan.revision.id]
        if wanted.operation == "promote" and plan.percent != 100:  # noqa: PLR2004  all
            words += ["--percent", str(plan.percent)]
        environment = _environment(plan)
        if environment:
            words += ["--env", environment]
        elif os.environ.get(VARIABLE):
            words = ["env", "-u", VARIABLE, *words]
        return _REMARK + shlex.join([*words, "--project", str(self.file.resolve())])


def _title(plan: Plan) -> str:
    title = f"{plan.operation} {plan.model} {plan.revision.id} on {plan.target}"
    return f"{title}, environment {_environment(plan)}" if _environment(plan) else title


def _environment(plan: Plan) -> str:
    return plan.destination.environment if plan.destination else ""


def _row(file: Path) -> ProjectRow:
    try:
        project = load_project(file)
    except CloudserveError as error:
        return ProjectRow(str(file), problem=_text(error))
    return ProjectRow(
        str(file),
        tuple(project.models),
        tuple(project.targets),
        project.environments,
        project.environment,
    )


def _text(error: CloudserveError) -> str:
    parts = (f"{error.where}: {error.message}" if error.where else error.message, error.hint)
    return "; ".join(part for part in parts if part)


def _answer(status: int, record: object) -> Response:
    return Response(status, msgspec.json.encode(record), _JSON)
