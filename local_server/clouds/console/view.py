"""The view of the offline clouds, and the changes that its page may make."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cloudserve._version import __version__

from ...console.app import Change
from ...console.models_view import VersionCard
from ...console.view import (
    Address,
    Parts,
    ServerFacts,
    Tick,
    read_process,
    tensorflow_version,
)
from ...transport.types import Request, Response
from ..faults.app import PATH, Faults
from ..resources import Resources
from .calls import CallLog
from .endpoint_signatures import EndpointSignatures
from .releasing import Releasing
from .resources_view import ResourceRow, list_resources
from .storage_view import Buckets, Ledgers, ObjectRow, Stores, list_objects

_OBJECTS = "objects"
_ENDPOINTS = "endpoints"
_DETAIL_WORDS = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the clouds keep what clients create."""

    resources: Resources
    stores: Stores
    endpoints: EndpointSignatures


@dataclass(frozen=True, slots=True)
class CloudParts:
    """The parts of the offline clouds that are shown."""

    stored: Stored
    calls: CallLog
    faults: Faults
    url: Callable[[], str]
    releasing: Releasing


class CloudsView:
    """Snapshots of the offline clouds (a View)."""

    def __init__(self, parts: CloudParts) -> None:
        self._parts = parts
        self._buckets = Buckets(parts.stored.stores)
        self._ledgers = Ledgers(parts.stored.stores)
        self._listed: tuple[int, tuple[ResourceRow, ...]] = -1, ()
        self._started = time.time()

    def follow(self) -> Tick:
        """Return a function of this moment's parts; see View."""
        parts, facts, last = self._parts, self._facts(), 0

        async def tick() -> Parts:
            nonlocal last
            buckets = await asyncio.to_thread(self._buckets.rows)
            releases = await asyncio.to_thread(self._ledgers.releases, buckets)
            project = await asyncio.to_thread(parts.releasing.project)
            # The database of resources belongs to the loop's thread.
            shown = {
                "server": facts,
                "process": read_process(),
                "resources": self._resources(),
                "buckets": buckets,
                "releases": releases,
                "faults": parts.faults.rules(),
            }
            if project is not None:
                shown["project"] = project
            calls = parts.calls.since(last)
            if calls or not last:
                shown["calls"] = calls
                last = calls[-1].id if calls else last
            return shown

        return tick

    def _resources(self) -> tuple[ResourceRow, ...]:
        """Return the resources, which are listed again when one of them has changed."""
        changes = self._parts.stored.resources.changes
        if self._listed[0] != changes:
            self._listed = changes, list_resources(self._parts.stored.resources)
        return self._listed[1]

    def opened(self, pages: int) -> None:
        """Take the number of pages that follow."""
        self._parts.calls.followers = pages

    def detail(self, words: tuple[str, ...]) -> tuple[ObjectRow, ...] | VersionCard | None:
        """Return the objects of `objects/SCHEME/BUCKET`, the signatures of `endpoints/RESOURCE`."""
        if words[0] == _ENDPOINTS and len(words) == 2:  # noqa: PLR2004  the kind and the name
            return self._parts.stored.endpoints.card(words[1])
        if len(words) != _DETAIL_WORDS or words[0] != _OBJECTS:
            return None
        return list_objects(self._parts.stored.stores, words[1], words[2])

    def _facts(self) -> ServerFacts:
        return ServerFacts(
            "emulate",
            __version__,
            tensorflow_version(),
            os.getpid(),
            self._started,
            (Address("AWS and Google", self._parts.url()),),
            takes_changes=True,
        )


def fault_changes(faults: Faults) -> Mapping[str, Change]:
    """Return the changes of fault rules, which the API of the rules performs."""

    async def change(request: Request) -> Response:
        answer = faults.handle(replace(request, head=replace(request.head, path=PATH)))
        return await answer if inspect.isawaitable(answer) else answer

    return {"POST faults": change, "DELETE faults": change}
