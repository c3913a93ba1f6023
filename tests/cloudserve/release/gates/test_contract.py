"""A version whose signatures break clients of the live one is not released unasked."""

import pytest

from cloudserve.errors import GateRefusedError, RemoteError
from cloudserve.release.planning.plan_file import read_plan, write_plan


@pytest.fixture
def versions(tmp_path, shared_models):
    """Give a base path whose second version has other signatures than its first and third."""
    base = tmp_path / "models"
    base.mkdir()
    half = shared_models / "tfs_half_plus_two_2v" / "123"
    other = next(p for p in sorted((shared_models / "tfs_counter").iterdir()) if p.is_dir())
    for number, source in (("1", half), ("2", other), ("3", half)):
        (base / number).symlink_to(source)
    return base


def test_a_deploy_is_refused_before_anything_but_the_refusal_is_written(
    releases, platform, versions
):
    releases(path=versions).deploy(1)
    before = dict(platform.blobs.objects)
    with pytest.raises(GateRefusedError) as caught:
        releases(path=versions).deploy(2)
    first = caught.value.message
    assert first.startswith("gate contract: v2-")
    assert " does not answer any request that v1-" in first
    assert caught.value.where == "half on here"
    assert "`--override contract --reason TEXT`" in caught.value.hint
    assert caught.value.__notes__ == [
        "Nothing was changed: gates are checked before the first step."
    ]
    written = {k: v for k, v in platform.blobs.objects.items() if k not in before}
    assert all("/ledger/" in key for key in written)
    assert len(written) == 2
    assert platform.performed == ["create"]


def test_a_compatible_version_is_deployed_and_promoted(releases, platform, versions):
    releases(path=versions).deploy(1)
    assert releases(path=versions).deploy(3).plan.breaking == ()
    assert releases(path=versions).promote("3").changed


def test_a_promotion_reads_both_signatures_from_the_bucket(releases, platform, versions):
    releases(path=versions).deploy(1)
    verbs = releases(path=versions, allow_breaking=True)
    assert verbs.deploy(2).plan.breaking
    for number in ("1", "2"):
        (versions / number).unlink()
    plan = releases(path=versions).plan_promote("2")
    assert any(line.startswith("signature ") for line in plan.breaking)
    live = dict(platform.traffic)
    with pytest.raises(GateRefusedError):
        releases(path=versions).promote("2", percent=10)
    assert platform.traffic == live
    verbs.promote("2")
    assert platform.traffic != live


@pytest.fixture
def breaking(releases, platform, versions):
    """Give verbs and their lines; version 2 is live, which breaks clients of version 1."""
    verbs = releases(path=versions, allow_breaking=True)
    verbs.deploy(1)
    verbs.deploy(2)
    verbs.promote("2")
    lines = []
    return releases(lines, path=versions), lines


def test_a_rollback_that_breaks_clients_says_so_and_is_not_refused(breaking):
    verbs, lines = breaking
    plan = verbs.plan_rollback()
    assert plan.breaking
    assert lines == []
    assert verbs.rollback().changed
    assert [line for line in lines if line.startswith("breaking: ")] == [
        f"breaking: {difference}" for difference in plan.breaking
    ]


def test_a_rollback_does_not_wait_for_signatures_that_cannot_be_read(
    breaking, platform, monkeypatch
):
    verbs, lines = breaking
    read = platform.blobs.read

    def fail(key):
        if key.endswith("saved_model.pb"):
            raise RemoteError("the bucket does not answer", hint="try again")
        return read(key)

    monkeypatch.setattr(platform.blobs, "read", fail)
    assert verbs.rollback().changed
    (warning,) = (line for line in lines if line.startswith("warning: "))
    assert warning.endswith("the bucket does not answer")
    with pytest.raises(RemoteError):
        verbs.promote("2")


def test_a_plan_that_breaks_is_applied_only_when_it_is_allowed(
    tmp_path, releases, platform, versions
):
    releases(path=versions).deploy(1)
    file = tmp_path / "plan.json"
    write_plan(releases(path=versions).plan_deploy(2), file, "ada")
    with pytest.raises(GateRefusedError):
        releases(path=versions).apply(read_plan(file))
    verbs = releases(path=versions, allow_breaking=True)
    assert verbs.apply(read_plan(file)).changed


def test_signatures_that_cannot_be_read_are_a_warning(releases, platform, versions):
    releases(path=versions).deploy(1)
    for key in [key for key in platform.blobs.objects if key.endswith("saved_model.pb")]:
        platform.blobs.delete(key)
    lines = []
    releases(lines, path=versions).deploy(3)
    (warning,) = (line for line in lines if line.startswith("warning: "))
    assert warning.startswith("warning: the signatures are not compared with those of v1-")
    assert warning.endswith("are not in mem://bucket")
