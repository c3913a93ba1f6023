"""A platform in memory: a real small implementation of the two contracts, with faults on demand."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudserve import registry
from cloudserve.errors import ConflictError, RemoteError
from cloudserve.project import Model, Project, Target
from cloudserve.project.gate_settings import GateSettings
from cloudserve.release.collection import Hold
from cloudserve.release.destination import Destination
from cloudserve.release.inspection.drift import Setting
from cloudserve.release.service import Releases
from cloudserve.release.traffic import percents, split
from cloudserve.release.types import Action, Deployed, Deployment, Reading, Revision, State
from cloudserve.storage.contract import Blob, Expect
from cloudserve.storage.events import Observe, Reporter, ignore

OFFLINE = Destination("memory", "http://127.0.0.1:8900")


class MemoryBlobs:
    """A bucket; `before_write` is called with each key and may raise."""

    url = "mem://bucket"

    def __init__(self):
        self.objects: dict[str, tuple[bytes, str, Mapping[str, str]]] = {}
        self.uploads: list[str] = []
        self.is_made = True
        self.before_write: Callable[[str], None] = lambda key: None
        self._tokens = itertools.count(1)
        self._lock = threading.Lock()

    def exists(self):
        return self.is_made

    def ensure(self, reporter):
        self.is_made = True

    def head(self, key):
        result = self.objects.get(key)
        return Blob(key, len(result[0]), result[1], result[2]) if result else None

    def read(self, key):
        result = self.objects.get(key)
        return (result[0], result[1]) if result else None

    def write(self, key, data, expect=Expect.ANYTHING):
        self.before_write(key)
        with self._lock:
            present = self.objects.get(key)
            if expect is Expect.ABSENT and present is not None:
                raise ConflictError("is there", where=key)
            if isinstance(expect, str) and (present is None or present[1] != expect):
                raise ConflictError("has moved", where=key)
            token = str(next(self._tokens))
            self.objects[key] = (data, token, {})
        return token

    def upload(self, key, path, metadata):
        self.before_write(key)
        self.uploads.append(key)
        self.objects[key] = (path.read_bytes(), str(next(self._tokens)), metadata)

    def list(self, prefix) -> Iterator[Blob]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield Blob(key, len(self.objects[key][0]), self.objects[key][1])

    def delete(self, key):
        self.objects.pop(key, None)


@dataclass
class MemoryPlatform:
    """A platform with one endpoint a model; `before` is called with each action and may raise."""

    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    deployed: dict[str, Deployed] = field(default_factory=dict)
    traffic: dict[str, float] = field(default_factory=dict)
    before: Callable[[Action], None] = lambda action: None
    performed: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    place: Destination = OFFLINE
    readings: int = 0
    held: dict[str, Hold] = field(default_factory=dict)
    leftovers: bool = False
    differing: tuple[Setting, ...] = ()

    def destination(self):
        return self.place

    def read(self, model):
        self.readings += 1
        return Reading(Deployment(model, "here", tuple(self.deployed.values()), dict(self.traffic)))

    def check(self, artifact):
        return self.warnings

    def plan_deploy(self, reading, revision, location):
        if reading.deployment.find(revision.id):
            return ()
        args = {"number": revision.number, "digest": revision.digest, "url": location.root_url}
        return (Action("create", f"create {revision.id}", args),)

    def plan_traffic(self, reading, revision_id, percent=100):
        traffic = reading.deployment.traffic
        wanted = split(traffic, revision_id, percent)
        if wanted == percents(traffic):
            return ()
        return (Action("move", f"move to {revision_id}", wanted),)

    def plan_undeploy(self, reading, revision_ids):
        ids = [d.revision.id for d in reading.deployment.revisions]
        going = [name for name in ids if revision_ids is None or name in revision_ids]
        actions = [Action("remove", f"remove {n}", {"id": n}, id=f"remove-{n}") for n in going]
        if revision_ids is None and reading.deployment.traffic:
            actions.insert(0, Action("silence", "take the endpoint down"))
        return tuple(actions)

    def holds(self, reading):
        return self.held

    def settings(self, reading):
        return self.differing

    def plan_leftovers(self, reading, going):
        if not self.leftovers:
            return ()
        return (Action("sweep", "delete what is unused", {}),)

    def perform(self, action, reporter):
        self.before(action)
        self.performed.append(action.id)
        match action.kind:
            case "create":
                revision = Revision(action.args["number"], action.args["digest"])
                self.deployed[revision.id] = Deployed(revision, State.READY, action.args["url"])
                if not self.traffic:
                    self.traffic = {revision.id: 1.0}
            case "move":
                self.traffic = {name: part / 100 for name, part in action.args.items()}
            case "sweep":
                self.leftovers = False
            case "silence":
                self.traffic = {}
            case "remove":
                self.deployed.pop(action.args["id"], None)
                self.traffic.pop(action.args["id"], None)
            case other:
                raise RemoteError(f"no such action: {other}")

    def predict(self, model, body, revision_id=None):
        return b"{}"


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform()


@pytest.fixture
def base(tmp_path, shared_models) -> Path:
    """Give a base path with versions 123 and 124 of a real model."""
    return shared_models / "tfs_half_plus_two_2v"


@pytest.fixture
def releases(platform, base, monkeypatch) -> Callable[..., Releases]:
    """Give the verbs for the model on the platform in memory."""
    monkeypatch.setattr(registry, "provider", lambda target, environ: platform)

    def make(
        lines: list[str] | None = None,
        path: Path = base,
        on_event: Observe = ignore,
        gates: GateSettings = GateSettings(),  # noqa: B008 - frozen
        who: str = "ada",
        **options: Any,
    ) -> Releases:
        project = Project(
            Path("cloudserve.yaml"),
            {"half": Model("half", path)},
            {"here": Target("here", "memory", gates=gates)},
        )
        reporter = Reporter(ignore if lines is None else lines.append, on_event)
        environ = {"CLOUDSERVE_ACTOR": who}
        return Releases(project, "half", "here", environ=environ, reporter=reporter, **options)

    return make
