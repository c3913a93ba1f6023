"""What project file, ledger and platform say differently, on a platform in memory."""

from dataclasses import replace

import pytest

from cloudserve import registry
from cloudserve.errors import RemoteError
from cloudserve.release.inspection.drift import Drift, Setting
from cloudserve.release.inspection.target import NOT_COMPARED


@pytest.fixture
def two(releases):
    """Deploy two versions, of which the second is live; return their ids."""
    first = releases().deploy(123).plan.revision.id
    second = releases().deploy(124).plan.revision.id
    releases().promote()
    return first, second


def drifts(releases):
    return list(releases().drift().drifts)


def test_nothing_differs_after_any_release(releases, two):
    assert drifts(releases) == []
    for verb in (
        lambda: releases(who="bob").approve("123"),
        lambda: releases().promote("123", percent=10),
        lambda: releases().promote("123", percent=60),
        lambda: releases().rollback(),
        lambda: releases().undeploy("123"),
        lambda: releases().rollback(),
        lambda: releases().undeploy(everything=True),
        lambda: releases().deploy(123),
    ):
        verb()
        assert drifts(releases) == []


def test_a_model_that_was_never_released_does_not_differ(releases):
    assert drifts(releases) == []


def test_traffic_that_somebody_moved(releases, platform, two):
    platform.traffic = {two[0]: 0.25, two[1]: 0.75}
    assert drifts(releases) == [
        Drift(f"traffic of {two[0]}", ledger="0 %", platform="25 %"),
        Drift(f"traffic of {two[1]}", ledger="100 %", platform="75 %"),
    ]


def test_a_revision_that_somebody_deleted_and_one_that_no_release_made(releases, platform, two):
    stranger = replace(
        platform.deployed[two[1]], revision=replace(platform.deployed[two[1]].revision, number=9)
    )
    platform.deployed = {"x": stranger, two[1]: platform.deployed[two[1]]}
    assert drifts(releases) == [
        Drift(f"revision {two[0]}", ledger="deployed", platform="deleted"),
        Drift(f"revision {stranger.revision.id}", ledger="not deployed", platform="deployed"),
    ]


def test_a_deployment_of_somebody_else_on_the_endpoint(releases, platform, two):
    platform.traffic = {two[1]: 0.5, "mine": 0.5}
    assert drifts(releases) == [
        Drift("deployment mine", platform="not cloudserve's, 50 %"),
        Drift(f"traffic of {two[1]}", ledger="100 %", platform="50 %"),
    ]


def test_an_endpoint_that_somebody_deleted(releases, platform, two):
    platform.traffic = {}
    assert drifts(releases) == [
        Drift("endpoint", ledger="exists", platform="deleted"),
        Drift(f"traffic of {two[1]}", ledger="100 %", platform="0 %"),
    ]


def test_settings_that_the_platform_reports(releases, platform, two):
    platform.differing = (Setting(f"instance_type of {two[1]}", "ml.m5.large", "ml.m5.xlarge"),)
    assert drifts(releases) == [
        Drift(f"instance_type of {two[1]}", project="ml.m5.large", platform="ml.m5.xlarge")
    ]


def test_a_release_that_is_not_finished(releases, platform, two):
    def stop(action):
        raise RemoteError("cut")

    platform.before = stop
    with pytest.raises(RemoteError):
        releases().promote("123")
    platform.before = lambda action: None
    releases(who="bob").approve("123")
    assert drifts(releases) == [
        Drift("last release", ledger=f"promote of {two[0]} is not finished")
    ]


def test_an_adapter_without_settings_has_a_note(releases, platform, monkeypatch, two):
    class Old:
        def __getattr__(self, name):
            if name == "settings":
                raise AttributeError(name)
            return getattr(platform, name)

    monkeypatch.setattr(registry, "provider", lambda target, environ: Old())
    assert releases().drift().notes == (NOT_COMPARED,)
