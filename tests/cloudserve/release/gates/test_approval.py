"""The gate approval: a digest gets traffic when people have approved it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudserve.errors import CheckFailedError, GateRefusedError, UserError
from cloudserve.project.gate_settings import ApprovalSettings, GateSettings
from cloudserve.release.destination import Destination
from cloudserve.release.provider import Approval
from cloudserve.release.state.approvals import Person
from cloudserve.release.state.entries import Event

ANYBODY = GateSettings(approval=ApprovalSettings())
OTHER = GateSettings(approval=ApprovalSettings(require_other=True))
AWS = Destination("aws", account="account 1234", region="eu-west-1")


@pytest.fixture
def two(releases):
    """Deploy 123, which is live, and 124 beside it, by ada."""
    releases().deploy(123)
    releases().deploy(124)
    return releases().status().revisions[1].revision


def approval(outcome):
    return next(verdict for verdict in outcome.verdicts if verdict.gate == "approval")


def test_a_version_gets_traffic_when_it_is_approved(releases, platform, two):
    live = dict(platform.traffic)
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=ANYBODY).promote("124")
    assert caught.value.message == f"gate approval: nobody has approved {two.id}"
    assert f"cloudserve approve half --target here --version {two.id}" in caught.value.hint
    assert platform.traffic == live
    entry = releases(gates=ANYBODY).approve("124", comment="looked at the error cases")
    assert (entry.outcome, entry.digest, entry.who) == (Event.APPROVED, two.digest, "ada")
    verdict = approval(releases(gates=ANYBODY).promote("124"))
    assert verdict.sentence == f"{two.id} is approved by ada"
    assert verdict.figures["approved_by"] == ["ada"]
    history = releases().history()
    assert [(r.operation, r.outcome) for r in history[-3:]] == [
        ("promote", "refused"),
        ("approve", "approved"),
        ("promote", "finished"),
    ]
    assert history[-2].comment == "looked at the error cases"


def test_by_default_the_newest_deployed_version_is_approved(releases, two):
    assert releases().approve().revision == two.id


def test_another_digest_under_the_same_version_is_not_approved(releases, platform, two):
    releases().approve("124")
    changed = replace(two, digest="ab" * 32)
    platform.deployed = {
        (changed if d.revision == two else d.revision).id: replace(
            d, revision=changed if d.revision == two else d.revision
        )
        for d in platform.deployed.values()
    }
    with pytest.raises(GateRefusedError, match=f"nobody has approved {changed.id}"):
        releases(gates=GateSettings(contract=False, approval=ApprovalSettings())).promote("124")


def test_the_deployer_of_a_version_cannot_approve_it(releases, two):
    with pytest.raises(CheckFailedError) as caught:
        releases(gates=OTHER).approve("124")
    assert caught.value.message == f"ada cannot approve {two.id}: ada deployed it"
    releases().approve("124")
    with pytest.raises(GateRefusedError, match="ada approved it, and ada deployed it"):
        releases(require_other=True).promote("124")
    releases(gates=OTHER, who="bob").approve("124")
    assert approval(releases(gates=OTHER).promote("124")).sentence.endswith("is approved by bob")


def test_an_approver_who_deploys_the_version_again_no_longer_counts(releases, two):
    releases(who="bob").approve("124")
    releases().undeploy("124")
    releases(who="bob").deploy(124)
    with pytest.raises(GateRefusedError, match="bob approved it, and bob and ada deployed it"):
        releases(gates=OTHER).promote("124")


def test_a_withdrawal_ends_the_earlier_approvals(releases, two):
    releases(who="bob").approve("124")
    assert releases(who="eve").approve("124", withdraw=True).outcome is Event.WITHDRAWN
    with pytest.raises(GateRefusedError, match="nobody has approved"):
        releases(gates=ANYBODY).promote("124")
    releases(who="bob").approve("124")
    assert releases(gates=ANYBODY).promote("124").changed


def test_the_first_version_is_approved_before_it_is_deployed_and_live(releases, platform):
    with pytest.raises(GateRefusedError, match="nobody has approved v124"):
        releases(gates=OTHER).deploy()
    assert platform.performed == []
    with pytest.raises(UserError, match="there is no version 7"):
        releases().approve("7")
    first = releases(gates=OTHER, who="bob").approve("124").revision
    with pytest.raises(GateRefusedError, match="bob approved it, and bob deployed it"):
        releases(gates=OTHER, who="bob").deploy()
    assert releases(gates=OTHER).history()[-1].outcome is Event.REFUSED
    assert releases(gates=OTHER).deploy().plan.revision.id == first


def test_a_later_version_needs_no_approval_to_be_deployed(releases):
    releases().deploy(123)
    assert [step.gate for step in releases(gates=OTHER).plan_deploy(124).gates] == [
        "contract",
        "load",
    ]


def test_an_approval_without_a_bucket_is_refused(releases, platform):
    platform.blobs.is_made = False
    with pytest.raises(UserError, match="the bucket mem://bucket does not exist"):
        releases().approve("123")
    with pytest.raises(GateRefusedError, match="nobody has approved"):
        releases(gates=ANYBODY).deploy()
    assert platform.blobs.objects == {}


def test_the_clouds_name_of_the_caller_is_compared_and_no_name_of_a_machine_with_it(
    releases, platform, two
):
    platform.place = replace(AWS, principal="user bob")
    entry = releases(who="ada").approve("124")
    assert (entry.who, entry.person) == ("ada", "user bob of account 1234")
    assert Person.of(entry.who, entry.person).is_named_by_cloud
    with pytest.raises(GateRefusedError, match="and one from a machine cannot be compared"):
        releases(gates=OTHER).promote("124")
    platform.place = replace(AWS, principal="role Deployer")
    releases().undeploy("124")
    releases().deploy(124)
    with pytest.raises(GateRefusedError, match="cannot be compared"):  # ada deployed it before
        releases(gates=OTHER).promote("124")


def test_an_approval_leaves_a_release_that_was_interrupted_to_be_found(releases, platform, two):
    def cut_off(action):
        raise KeyboardInterrupt

    platform.before = cut_off
    with pytest.raises(KeyboardInterrupt):
        releases().promote("124")
    platform.before = lambda action: None
    releases(who="bob").approve("124")
    releases().rollback()
    assert platform.traffic[platform.read("half").deployment.live] == 1.0
    assert releases().history()[-1].operation == "rollback"
    assert platform.read("half").deployment.live.startswith("v123")


def test_a_plan_that_was_stopped_is_continued_after_an_approval(releases, platform, two):
    plan = releases(gates=ANYBODY).plan_promote("124")

    def fail(action):
        raise KeyboardInterrupt

    releases().approve("124")
    platform.before = fail
    with pytest.raises(KeyboardInterrupt):
        releases(gates=ANYBODY).apply(plan)
    platform.before = lambda action: None
    releases(who="bob").approve("124")
    assert releases(gates=ANYBODY).apply(plan).changed


@pytest.fixture
def registry(platform, monkeypatch):
    """Let the platform have a registry, in which nothing is approved at first."""
    approved = []

    def ask(model, revision):
        return Approval(revision.id in approved, f"{revision.id}: {model}", "approve it", "arn")

    monkeypatch.setattr(type(platform), "registry", "the registry", raising=False)
    monkeypatch.setattr(platform, "approval", ask, raising=False)
    return approved


def test_the_platforms_registry_is_asked_without_a_setting(releases, platform, registry, two):
    with pytest.raises(GateRefusedError) as caught:
        releases().promote("124")
    assert caught.value.where == "arn"
    assert caught.value.hint.startswith("approve it; `--override approval")
    registry.append(two.id)
    assert approval(releases().promote("124")).figures["registry"] == "the registry"


def test_the_registry_and_the_ledger_are_both_required(releases, registry, two):
    registry.append(two.id)
    with pytest.raises(GateRefusedError, match="nobody has approved"):
        releases(gates=ANYBODY).promote("124")
    releases().approve("124")
    verdict = approval(releases(gates=ANYBODY).promote("124"))
    assert verdict.sentence == f"{two.id}: half; {two.id} is approved by ada"


def test_a_rollback_to_a_version_that_never_had_traffic_is_no_way_around_the_gates(
    releases, platform, two
):
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=ANYBODY).rollback("124")
    assert "`cloudserve promote` can override it" in caught.value.hint
    releases(gates=ANYBODY, overrides={"approval": "urgent"}).promote("124")
    assert releases(gates=ANYBODY).plan_rollback("123").gates == ()
    releases(gates=ANYBODY).rollback("123")
    assert releases(gates=ANYBODY).plan_rollback("124").gates == ()


@pytest.mark.parametrize("percents", [(10,), (10, 60)])
def test_a_rollback_to_a_version_that_only_had_a_share_is_gated_like_its_promotion(
    releases, platform, two, percents
):
    live = releases().status().live
    for percent in percents:
        releases().promote("124", percent=percent)
    releases().rollback(live)  # as a canary that failed ends
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=ANYBODY).rollback("124")
    assert f"{two.id} never had all the traffic" in caught.value.hint
    assert releases().status().live == live
    assert releases(gates=ANYBODY).plan_rollback(live).gates == ()


def test_no_gate_stops_a_canarys_traffic_from_being_taken_back(releases, platform, two):
    live = releases().status().live
    releases().promote("124", percent=60)
    with pytest.raises(GateRefusedError):
        releases(gates=ANYBODY).rollback("124")
    releases(gates=ANYBODY).rollback("124", is_gated=False)
    assert releases().status().live == two.id != live


def test_a_rollback_to_a_version_that_another_release_found_live_has_no_gates(
    releases, platform, two
):
    platform.traffic = {two.id: 1.0}  # by hand
    releases().promote("123")
    assert releases(gates=ANYBODY).plan_rollback("124").gates == ()
