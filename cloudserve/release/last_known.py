"""The last known state of a model on a target: kept after a command, used by `--offline`.

It has the answers to all questions of plans and of `diff --target`, from one reading of the
platform and its bucket. A question that fails, or that there is no time for, is refused offline.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from cloudserve import registry
from cloudserve.errors import CloudserveError, UserError
from cloudserve.known.states import KnownState, KnownStates
from cloudserve.known.tape import LIVE, Recorder, Recording
from cloudserve.project import Project, Target
from cloudserve.release.destination import Destination
from cloudserve.release.planning import planner
from cloudserve.release.provider import CredentialsProvider, Provider, RecordedProvider
from cloudserve.release.recorded import use_tape
from cloudserve.release.service import Releases
from cloudserve.release.state.layout import MANIFESTS, Layout
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.types import Artifact, Revision
from cloudserve.storage.contract import BlobStore

logger = logging.getLogger(__name__)
Question = Callable[[], object]
DIGITS = 64
"""The digits of a digest."""
SECONDS = 5.0
"""The time after which no further question is asked: a command must not be held up."""
MOST_HASHED = 256 << 20
"""The bytes of a local version's files that are hashed only to keep a state."""
LARGEST = 8 << 20
"""The bytes of the largest object that is read only to be kept."""


def remember(
    project: Project,
    model: str,
    target: str,
    *,
    environ: Mapping[str, str] | None = None,
    tape: Recorder | None = None,
    provider: Provider | None = None,
) -> bool:
    """Read what plans and `diff` need to know of a model on a target, and keep it for `--offline`.

    What `tape` has already is not read again; `provider` is one of this target, if it was made
    already. Changes nothing but the file. Returns False if the target's adapter, or this machine,
    keeps no states. Raises RemoteError and ConflictError if there is nothing to keep, because the
    platform cannot be read.
    """
    environ = os.environ if environ is None else environ
    tape = tape or Recorder()
    states = KnownStates.of_project(project.path, environ)
    if states is None:
        return False
    environment = project.target(target).environment
    tape.earlier, tape.largest = _earlier(states, model, target, environment), LARGEST
    releases = Releases(project, model, target, environ=environ, tape=tape, provider=provider)
    if not isinstance(releases.provider, RecordedProvider):
        return False
    try:
        place = releases.destination
        _ask(_questions(project, releases))
    finally:
        releases.provider.record(LIVE)
    kept = _place(place, releases.provider)
    state = KnownState(model, target, environment, kept, tape.since, tape.answers)
    try:
        states.save(state)
    except OSError as error:
        logger.info("the state is not kept for --offline: %s", error)
        return False
    return True


def _ask(questions: Iterator[Question]) -> None:
    end = time.monotonic() + SECONDS
    for question in questions:
        with suppress(CloudserveError):
            question()
        if time.monotonic() > end:
            return


def recall(
    project: Project, model: str, target: str, *, environ: Mapping[str, str] | None = None
) -> Releases:
    """Return the verbs that plan and compare from the last known state, and reach no network.

    Raises UserError if there is none for the environment's destination, or for several accounts.
    """
    environ = os.environ if environ is None else environ
    name, place = project.model(model).name, project.target(target)
    here = _here(place, environ)
    state = _choose(project, name, place, here, environ)
    tape = Recording(state.since, state.answers)
    return Releases(project, model, target, environ=environ, tape=tape)


def _questions(project: Project, releases: Releases) -> Iterator[Question]:
    """Yield what asks all that plans of each operation, and `diff --target`, ask."""
    provider, (name, target) = releases.provider, releases.names
    reading = provider.read(name)
    deployment = reading.deployment
    layout = Layout(provider.blobs.url, name, target, project.name)
    yield lambda: _read_manifests(provider.blobs, layout.root)
    yield releases.drift
    source = project.model(name)
    if live := deployment.find(deployment.live or ""):
        models = UploadedModels(provider.blobs, layout, source.tags)
        yield lambda: models.interface(live.revision)
    number = max((d.revision.number for d in deployment.revisions), default=0) + 1
    unheard = Revision(number, "0" * DIGITS)  # a model that is trained after this
    yield lambda: planner.plan_deploy(provider, layout, reading, unheard, None)
    yield lambda: provider.check(Artifact("", size=1, files=1))
    # A model's URL is not read offline: no download for a question that is refused.
    is_local = not source.url and not source.is_registered
    if is_local:
        yield lambda: _plan_deploy(releases, None)
    yield releases.plan_rollback
    yield releases.plan_undeploy
    for deployed in deployment.revisions:
        yield from _of_revision(releases, deployed.revision, is_local=is_local)
    yield lambda: releases.plan_undeploy(everything=True)


def _of_revision(releases: Releases, revision: Revision, *, is_local: bool) -> Iterator[Question]:
    if is_local:
        yield lambda: _plan_deploy(releases, revision.number)
    yield lambda: releases.plan_promote(revision.id)
    yield lambda: releases.plan_rollback(revision.id)
    yield lambda: releases.plan_undeploy(revision.id)


def _plan_deploy(releases: Releases, number: int | None) -> None:
    """Ask what the plan of a local version asks, unless its files would take long to hash.

    The services are asked little about a digest: the plan of an unheard one asks the most.
    """
    if releases.unread_bytes(number) <= MOST_HASHED:
        releases.plan_deploy(number, loads=False)


def _read_manifests(blobs: BlobStore, model: str) -> None:
    names = [blob.key for blob in blobs.list(model)]
    for name in names:
        if name.startswith(f"{model}{MANIFESTS}"):
            blobs.read(name)


def _earlier(states: KnownStates, model: str, target: str, environment: str) -> Mapping[str, Any]:
    """Return the answers of all states that were kept before."""
    kept = states.load(model, target, environment)
    return {question: each for state in kept for question, each in state.answers.items()}


def _here(target: Target, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return where a target's calls would go, as far as that is known without a call."""
    provider = registry.provider(target, environ)
    use_tape(provider, Recording(Recorder().since, {}), target)
    return _place(provider.destination(), provider)


def _choose(
    project: Project,
    model: str,
    target: Target,
    here: Mapping[str, str],
    environ: Mapping[str, str],
) -> KnownState:
    states = KnownStates.of_project(project.path, environ)
    every = tuple(states.load(model, target.name, target.environment)) if states else ()
    fits = [state for state in every if _is_here(state, here)]
    if len(fits) == 1:
        return fits[0]
    where = f"{model} on {target.name}"
    if fits:
        accounts = " and ".join(sorted(str(state.place.get("account")) for state in fits))
        raise UserError(
            f"there are last known states of {accounts}, and only a call says which one is meant",
            where=where,
            hint="run the command without --offline",
        )
    place = "the offline clouds" if here["is_offline"] else "a real account"
    place += f" ({here['credentials']})" if here["credentials"] else ""
    raise UserError(
        f"there is no last known state of {where} in {place}",
        where=str(project.path),
        hint=f"keep one, online: cloudserve status {model} --target {target.name}",
    )


def _is_here(state: KnownState, here: Mapping[str, str]) -> bool:
    names = ("cloud", "is_offline", "region", "credentials")
    if any(state.place.get(name, "") != here[name] for name in names):
        return False
    accounts = {state.place.get("account", ""), here["account"]} - {""}
    return len(accounts) < 2  # noqa: PLR2004 - equal


def _place(place: Destination, provider: Provider) -> dict[str, str]:
    """Return a destination by the names of its fields, with the name of the credentials."""
    known = {**asdict(place), "is_offline": "yes" if place.is_offline else "", "credentials": ""}
    if isinstance(provider, CredentialsProvider) and not place.is_offline:
        known["credentials"] = provider.credentials()
    return known
