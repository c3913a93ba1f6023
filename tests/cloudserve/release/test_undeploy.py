"""Taking versions, or a model as a whole, off a target."""

import pytest

from cloudserve import registry
from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.release.planning.plan_file import read_plan, write_plan
from cloudserve.release.state.entries import Event


@pytest.fixture
def two(releases):
    """Deploy two versions, of which the second is live; return their ids."""
    first = releases().deploy(123).plan.revision.id
    second = releases().deploy(124).plan.revision.id
    releases().promote()
    return first, second


def test_a_version_without_traffic_is_undeployed_and_its_files_stay(releases, platform, two):
    first, second = two
    files = [key for key in platform.blobs.objects if "/targets/" not in key]
    outcome = releases().undeploy("123")
    assert [d.revision.id for d in outcome.deployment.revisions] == [second]
    assert outcome.plan.removes == (first,)
    assert outcome.plan.kept == "mem://bucket/cloudserve/half/"
    assert [key for key in platform.blobs.objects if "/targets/" not in key] == files
    sent = list(platform.blobs.uploads)
    assert releases().deploy(123).changed
    assert platform.blobs.uploads == sent


def test_a_version_with_traffic_is_refused_unless_everything_goes(releases, platform, two):
    with pytest.raises(ConflictError) as caught:
        releases().undeploy("124")
    assert caught.value.message == f"{two[1]} has traffic"
    assert caught.value.hint == (
        "promote another version first, or take the model down as a whole: "
        "cloudserve undeploy half --target here --all"
    )
    outcome = releases().undeploy(everything=True)
    assert outcome.deployment.revisions == ()
    assert set(outcome.plan.removes) == set(two)
    assert platform.traffic == {}


def test_a_part_of_the_traffic_is_traffic(releases, two):
    releases().promote("123", percent=10)
    with pytest.raises(ConflictError, match="has traffic"):
        releases().undeploy("123")


def test_without_a_version_all_that_has_no_traffic_goes(releases, two):
    releases().rollback()
    outcome = releases().undeploy()
    assert outcome.plan.removes == two[1:]
    assert not releases().undeploy().changed


def test_without_a_version_the_revision_that_a_rollback_goes_back_to_stays(releases, two):
    outcome = releases().undeploy()
    assert not outcome.changed
    assert outcome.plan.warnings == (
        f"{two[0]} stays: a rollback goes back to it; name it with --version to remove it",
    )
    assert releases().undeploy(two[0]).plan.removes == two[:1]


def test_a_version_and_everything_exclude_each_other(releases, two):
    with pytest.raises(UserError, match="cannot both be undeployed"):
        releases().undeploy("123", everything=True)


def test_the_ledger_reports_it(releases, two):
    releases().undeploy("123")
    releases().undeploy(everything=True)
    one, whole = releases().history()[-2:]
    assert (one.operation, one.removes, one.previous) == ("undeploy", two[:1], two[1])
    assert (one.revision, one.everything, one.outcome) == (two[0], False, Event.FINISHED)
    assert (whole.revision, whole.everything, whole.removes) == (two[1], True, two[1:])


def test_undeploying_again_changes_nothing(releases, two):
    for options in ({"version": "123"}, {"everything": True}):
        assert releases().undeploy(**options).changed
        count = len(releases().history())
        assert not releases().undeploy(**options).changed
        assert len(releases().history()) == count


def test_a_version_that_never_existed_is_refused(releases, two):
    with pytest.raises(UserError, match="version `9` of half is not deployed"):
        releases().undeploy("9")


def test_undeploying_a_model_that_never_existed_changes_nothing(releases, platform):
    outcome = releases().undeploy(everything=True)
    assert not outcome.changed
    assert platform.blobs.objects == {}


def test_an_undeployment_that_stops_continues_when_it_is_run_again(releases, platform, two):
    def stop(action):
        if action.id == f"remove-{two[1]}":
            raise RemoteError("cut")

    platform.before = stop
    with pytest.raises(RemoteError):
        releases().undeploy(everything=True)
    platform.before = lambda action: None
    assert releases().undeploy(everything=True).deployment.revisions == ()
    assert [r.outcome for r in releases().history()[-2:]] == [Event.STOPPED, Event.FINISHED]


def test_a_plan_is_kept_and_applied_and_refused_when_the_traffic_moved(releases, tmp_path, two):
    plan = releases().plan_undeploy("123")
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    releases().promote("123")
    with pytest.raises(ConflictError, match="has traffic"):
        releases().apply(plan)
    releases().promote("124")
    assert releases().apply(read_plan(tmp_path / "plan.json")).changed
    assert not releases().apply(plan).changed


def test_a_rollback_deploys_again_what_was_undeployed_and_uploads_nothing(releases, platform, two):
    releases().undeploy("123")
    sent = list(platform.blobs.uploads)
    plan = releases().plan_rollback()
    assert [action.id for action in plan.actions] == ["create", "give-traffic"]
    outcome = releases().rollback()
    assert (outcome.plan.previous, platform.traffic) == (two[1], {two[0]: 1.0})
    assert platform.blobs.uploads == sent
    assert not releases().apply(plan).changed
    with pytest.raises(UserError, match="no earlier revision"):
        releases().rollback()


def test_a_rollback_after_everything_was_undeployed_brings_back_what_was_live(
    releases, platform, two
):
    sent = list(platform.blobs.uploads)
    releases().undeploy(everything=True)
    outcome = releases().rollback()
    assert (platform.traffic, platform.blobs.uploads) == ({two[1]: 1.0}, sent)
    assert [d.revision.id for d in outcome.deployment.revisions] == [two[1]]
    assert releases().rollback().deployment.live == two[0]


def test_a_rollback_after_the_steps_of_a_canary_goes_back_to_what_was_live_before_them(
    releases, platform, two
):
    for percent in (10, 60, 100):
        releases().promote("123", percent=percent)
    assert releases().rollback().deployment.live == two[1]


def test_a_rollback_names_a_revision_that_was_undeployed(releases, platform, two):
    releases().undeploy(everything=True)
    assert releases().rollback("123").deployment.live == two[0]
    with pytest.raises(UserError, match="version `9` of half is not deployed"):
        releases().rollback("9")


def test_a_rollback_without_the_files_says_so(releases, platform, two):
    releases().undeploy("123")
    del platform.blobs.objects[f"cloudserve/half/manifests/{two[0]}.json"]
    with pytest.raises(UserError) as caught:
        releases().rollback()
    assert caught.value.message == (
        f"{two[0]} is not deployed any more, and its files are not in the bucket"
    )


def test_a_rollback_after_everything_was_undeployed_continues_nothing(releases, platform, two):
    def stop(action):
        raise RemoteError("cut")

    platform.before = stop
    with pytest.raises(RemoteError):
        releases().promote("123")
    platform.before = lambda action: None
    releases().undeploy(everything=True)
    releases().deploy(124)
    assert releases().rollback().deployment.live == two[0]


def test_an_adapter_that_cannot_says_so(releases, platform, monkeypatch, two):
    class Old:
        def __getattr__(self, name):
            if name == "plan_undeploy":
                raise AttributeError(name)
            return getattr(platform, name)

    monkeypatch.setattr(registry, "provider", lambda target, environ: Old())
    with pytest.raises(UserError) as caught:
        releases().undeploy("123")
    assert caught.value.message == (
        "the adapter of this target's provider cannot take a model down: it has no `plan_undeploy`"
    )
    assert caught.value.hint == "update the adapter, or use the platform's own tools"
