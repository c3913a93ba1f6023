"""What a collection removes, what it keeps and why, on a platform in memory."""

import itertools
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from cloudserve import registry
from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.project import Model, Project, Target
from cloudserve.release.collection import Hold
from cloudserve.release.planning.plan_file import read_plan, write_plan
from cloudserve.release.service import Releases
from cloudserve.release.state.entries import Event
from cloudserve.release.tidy.inventory import INCONSISTENT
from cloudserve.release.types import State
from tests.cloudserve.conftest import MemoryPlatform

ROOT = "cloudserve/half/"


@pytest.fixture(scope="module")
def versions(tmp_path_factory, shared_models):
    """Give a base path with versions 1 to 5 of different content."""
    base = tmp_path_factory.mktemp("versions") / "half"
    for number in range(1, 6):
        folder = base / str(number)
        shutil.copytree(shared_models / "tfs_half_plus_two_2v" / "123", folder)
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "note").write_text("x" * number)
    return base


@pytest.fixture(scope="module")
def released(versions):
    """Give a platform to which five versions were deployed and promoted one after the other."""
    platform = MemoryPlatform()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "provider", lambda target, environ: platform)
        for number in range(1, 6):
            verbs = target_of(versions)
            verbs.deploy(number)
            verbs.promote()
    return platform


@pytest.fixture
def five(releases, released, platform, versions):
    """Give the verbs for the released versions."""
    restore(platform, released)

    def make(**options):
        return releases(path=versions, **options)

    return make


def restore(platform, released):
    platform.deployed, platform.traffic = dict(released.deployed), dict(released.traffic)
    platform.blobs.objects = dict(released.blobs.objects)


def target_of(versions, name="here", who="ada"):
    targets = {target: Target(target, "memory") for target in ("here", "there")}
    models = {"half": Model("half", versions)}
    project = Project(versions.parent / "cloudserve.yaml", models, targets)
    return Releases(project, "half", name, environ={"CLOUDSERVE_ACTOR": who})


def keys(platform, version=""):
    return [
        key
        for key in platform.blobs.objects
        if "/targets/" not in key and not key.startswith("cloudserve/lock") and version in key
    ]


def numbers(names):
    return [int(name.partition("-")[0].removeprefix("v")) for name in names]


def kept(plan):
    return {numbers([r.revision])[0]: r.kept for r in plan.collection.revisions if r.kept}


def test_the_newest_stay_and_older_ones_leave_platform_and_bucket(five, platform):
    plan = five().plan_gc(3)
    assert numbers(plan.removes) == [2, 1]
    assert [a.id.partition("-v")[0] for a in plan.actions] == [
        *("remove", "remove"),
        *("delete-files", "delete-files"),
    ]
    size = sum(len(platform.blobs.objects[key][0]) for key in keys(platform, "revisions/v1-"))
    assert [r.frees for r in plan.collection.revisions] == [0, 0, 0, size + 1, size]
    assert plan.collection.frees == 2 * size + 1
    outcome = five().gc(3)
    assert numbers(d.revision.id for d in outcome.deployment.revisions) == [3, 4, 5]
    assert not keys(platform, "v1-") + keys(platform, "v2-")
    assert len(keys(platform, "v3-")) == len(keys(platform, "v5-")) > 3
    assert not five().gc(3).changed


def test_the_live_revision_and_the_one_of_a_rollback_stay_at_any_age(five):
    five().promote("1")
    plan = five().plan_gc(1)
    assert kept(plan) == {
        5: "a rollback goes back to it",
        1: "it has 100% of the traffic",
    }
    assert numbers(plan.removes) == [4, 3, 2]


def test_the_last_deployed_revision_stays(five):
    five().undeploy("1")
    five().deploy(1)
    assert kept(five().plan_gc(1))[1] == "it was deployed last"


def test_every_part_of_the_traffic_counts(five):
    five().promote("2", percent=1)
    assert kept(five().plan_gc(1))[2] == "it has 1% of the traffic"


def test_a_held_revision_is_kept(five, platform):
    two, three = (next(n for n in platform.deployed if n[:3] == v) for v in ("v2-", "v3-"))
    platform.held = {
        two: Hold("its version has the alias prod"),
        three: Hold("a model package names its files", files_only=True),
    }
    plan = five().plan_gc(1)
    assert kept(plan)[2] == "its version has the alias prod"
    assert numbers(plan.removes) == [3, 1]
    assert [r.files_kept for r in plan.collection.revisions if r.revision == three] == [
        "a model package names its files"
    ]
    five().gc(1)
    assert three not in platform.deployed
    assert keys(platform, three)
    assert not five().gc(1).changed


def test_a_revision_that_is_being_changed_stays(five, platform):
    one = next(name for name in platform.deployed if name.startswith("v1-"))
    platform.deployed[one] = replace(platform.deployed[one], state=State.DELETING)
    assert kept(five().plan_gc(1))[1] == "it is deleting"


def test_revisions_of_an_unfinished_release_are_kept(five, platform):
    def stop(action):
        raise RemoteError("cut")

    platform.before = stop
    with pytest.raises(RemoteError):
        five().promote("2")
    platform.before = lambda action: None
    five(who="bob").approve("3")
    assert kept(five().plan_gc(1))[2].endswith("by ada is not finished")


def test_the_live_revision_before_an_undeploy_stays(five, platform):
    five().undeploy(everything=True)
    sent = list(platform.blobs.uploads)
    assert numbers(five().gc(1).plan.removes) == [4, 3, 2, 1]
    assert five().rollback().deployment.live.startswith("v5-")
    assert platform.blobs.uploads == sent


def test_files_that_another_target_uses_stay(five, platform, versions, monkeypatch):
    other = MemoryPlatform(platform.blobs)
    monkeypatch.setattr(
        registry, "provider", lambda target, _: other if target.name == "there" else platform
    )
    existing = target_of(versions, "there", "bob")
    existing.deploy(2)
    outcome = five().gc(1)
    assert numbers(outcome.plan.removes) == [3, 2, 1]
    assert keys(platform, "revisions/v2-")
    assert not keys(platform, "v1-") + keys(platform, "v3-")
    assert existing.plan_gc(1).actions == ()
    existing.undeploy(everything=True)
    assert existing.plan_gc(1).actions == ()  # what was live last
    existing.deploy(5)
    assert numbers(existing.gc(1).plan.removes) == [2]
    assert not keys(platform, "v2-")
    assert keys(platform, "revisions/v4-"), "the other target's"


def test_unknown_objects_are_listed_and_never_deleted(five, platform):
    blobs = platform.blobs
    one = next(name for name in platform.deployed if name.startswith("v1-"))
    folder = f"{ROOT}revisions/{one}/half/1/"
    strangers = {
        f"{folder}notes.txt": "no manifest names it: an upload may be running, or was interrupted",
        f"{folder}saved_model.pb": "it has another size than the manifest says",
        f"{ROOT}revisions/{one}.tar.gz": "it is not an archive that cloudserve made",
        f"{ROOT}revisions/v9-0123456789ab/half/9/saved_model.pb": (
            "no manifest names it: an upload may be running, or was interrupted"
        ),
        f"{ROOT}README": "cloudserve does not write such objects",
        f"{ROOT}targets/here/ledger/notes": "cloudserve does not write such objects",
        f"{ROOT}manifests/v8-0123456789ab.json": INCONSISTENT,
    }
    manifest = blobs.read(f"{ROOT}manifests/{one}.json")[0]
    for key in strangers:
        blobs.write(key, manifest if "v8-" in key else b"mine")
    plan = five().plan_gc(1)
    assert {u.key: u.reason for u in plan.collection.unknown} == strangers
    five().gc(1)
    assert set(strangers) <= set(blobs.objects)
    assert not [key for key in keys(platform, one) if key not in strangers]


def test_other_models_and_projects_in_the_bucket_are_not_looked_at(five, platform):
    for key in ("cloudserve/half2/x", "cloudserve/project.shop/half/x", "mine/x"):
        platform.blobs.write(key, b"mine")
    assert five().plan_gc(1).collection.unknown == ()


def test_archives_and_copies_of_code_go_with_the_files(five, platform):
    blobs = platform.blobs
    one = next(name for name in platform.deployed if name.startswith("v1-"))
    key = f"{ROOT}revisions/{one}.tar.gz"
    blobs.objects[key] = (b"archive", "1", {"cloudserve-bundle": "…"})
    five().gc(1)
    assert not keys(platform, one)


@pytest.mark.parametrize("keep", [0, -1])
def test_a_number_below_one_is_refused(five, keep):
    with pytest.raises(UserError) as caught:
        five().gc(keep)
    assert caught.value.message == f"{keep} is not a number of revisions to keep"


def test_an_adapter_that_cannot_collect_is_named(five, platform, monkeypatch):
    class Old:
        def __getattr__(self, name):
            if name == "plan_leftovers":
                raise AttributeError(name)
            return getattr(platform, name)

    monkeypatch.setattr(registry, "provider", lambda target, environ: Old())
    with pytest.raises(UserError, match="cannot collect: it has no `plan_leftovers`"):
        five().gc(1)


def test_nothing_released_is_nothing_to_do(releases, platform):
    assert not releases().gc(1).changed
    assert platform.blobs.objects == {}


def test_without_a_ledger_nothing_is_removed(five, platform):
    for key in [key for key in platform.blobs.objects if "/ledger/" in key]:
        del platform.blobs.objects[key]
    with pytest.raises(ConflictError, match="the ledger of half is empty"):
        five().gc(1)
    assert len(platform.deployed) == 5


def test_it_is_recorded(five):
    removed = five().gc(3).plan.removes
    last = five().history()[-1]
    assert (last.operation, last.removes, last.outcome) == ("gc", removed, Event.FINISHED)
    assert last.revision == ""


def test_a_plan_of_it_is_applied_unless_a_revision_is_to_stay_by_now(five, tmp_path):
    plan = five().plan_gc(2)
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    five().promote("2")
    with pytest.raises(ConflictError, match=r"v2-.* is to stay: it has 100% of the traffic"):
        five().apply(plan)
    five().promote("5")
    with pytest.raises(ConflictError, match="to stay"):  # a rollback goes back to it
        five().apply(plan)
    plan = five().plan_gc(2)
    assert numbers(five().apply(plan).plan.removes) == [3, 1]
    assert not five().apply(plan).changed


@dataclass
class Race:
    """Another target that deploys version 1 before the n-th call that concerns its files."""

    platform: MemoryPlatform
    versions: Path
    moment: int
    calls: int = 0
    outcomes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.other = MemoryPlatform(self.platform.blobs)

    def provider(self, target, environ):
        return self.other if target.name == "there" else self.platform

    def around(self, call):
        def called(key, *rest):
            if "v1-" in key and not self.outcomes:
                self.calls += 1
                if self.calls == self.moment:
                    self.outcomes.append("begun")
                    self.deploy()
            return call(key, *rest)

        return called

    def deploy(self):
        try:
            target_of(self.versions, "there", "bob").deploy(1)
        except ConflictError as error:
            self.outcomes.append(error.message)
        else:
            self.outcomes.append("deployed")


def test_a_release_of_another_target_at_any_moment_keeps_the_files_or_is_refused(
    platform, released, versions, monkeypatch
):
    results = set()
    for moment in itertools.count(1):
        restore(platform, released)
        race = Race(platform, versions, moment)
        with monkeypatch.context() as patch:
            patch.setattr(registry, "provider", race.provider)
            for name in ("read", "write", "delete"):
                patch.setattr(platform.blobs, name, race.around(getattr(platform.blobs, name)))
            target_of(versions).gc(4)
            if not race.outcomes:
                break
            results.add(race.outcomes[1].replace(next(iter(released.deployed)), "v1"))
            assert bool(race.other.deployed) == (race.outcomes[1] == "deployed")
            if race.other.deployed:
                assert_complete(platform.blobs, *race.other.deployed)
            race.deploy()
            assert race.outcomes[-1] == "deployed"
            assert_complete(platform.blobs, *race.other.deployed)
    assert moment > 10
    assert results == {
        "deployed",
        "the files of v1 are being deleted, or their deletion was interrupted",
    }


def assert_complete(blobs, name):
    manifest = msgspec.json.decode(blobs.read(f"{ROOT}manifests/{name}.json")[0])
    for file in manifest["files"]:
        assert f"{ROOT}revisions/{name}/half/1/{file['path']}" in blobs.objects
