"""Gates are checked before the first change; each verdict is recorded, and a refusal is an end."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.errors import GateRefusedError, ModelError, UserError
from cloudserve.project.gate_settings import GateSettings
from cloudserve.release.planning.plan_file import read_plan, write_plan
from cloudserve.release.state.entries import Event
from cloudserve.release.verdict import Ruling


@pytest.fixture
def versions(tmp_path, shared_models):
    """Give a base path whose second version has other signatures than its first and third."""
    base = tmp_path / "models"
    base.mkdir()
    half = shared_models / "tfs_half_plus_two_2v" / "123"
    other = shared_models / "tfs_counter" / "123"
    for number, source in (("1", half), ("2", other), ("3", half)):
        (base / number).symlink_to(source)
    return base


def rulings(release):
    return [(verdict.gate, verdict.ruling) for verdict in release.verdicts]


def test_a_plan_lists_its_gates_with_the_verdicts_that_need_no_platform(releases, versions):
    assert [step.gate for step in releases(path=versions).plan_deploy(1).gates] == ["load"]
    live = releases(path=versions).deploy(1).plan.revision.id
    plan = releases(path=versions).plan_deploy(2)
    assert [(step.gate, dict(step.args)) for step in plan.gates] == [
        ("contract", {"live": live}),
        ("load", {}),
    ]
    assert [(v.gate, v.ruling) for v in plan.verdicts] == [
        ("contract", Ruling.REFUSED),
        ("load", Ruling.PASSED),
    ]


def test_a_plan_without_actions_has_no_gates(releases, versions):
    releases(path=versions).deploy(1)
    assert releases(path=versions).plan_deploy(1).gates == ()


def test_a_rollback_and_an_undeploy_have_no_gates(releases, versions):
    releases(path=versions).deploy(1)
    releases(path=versions).deploy(3)
    releases(path=versions).promote("3")
    assert releases(path=versions).plan_rollback().gates == ()
    assert releases(path=versions).plan_undeploy().gates == ()


def test_each_verdict_is_in_the_ledger_with_its_figures(releases, versions):
    releases(path=versions).deploy(1)
    outcome = releases(path=versions).deploy(3)
    release = releases(path=versions).history()[-1]
    assert release.verdicts == outcome.verdicts
    assert rulings(release) == [("contract", "passed"), ("load", "passed")]
    contract, load = release.verdicts
    assert contract.figures["compatibility"] == "compatible"
    assert load.figures["ops"] > 0
    assert release.steps == tuple(action.sentence for action in outcome.plan.actions)


def test_a_refusal_ends_the_release_and_is_shown_by_the_history(releases, platform, versions):
    releases(path=versions).deploy(1)
    live = dict(platform.traffic)
    with pytest.raises(GateRefusedError) as caught:
        releases(path=versions).deploy(2)
    release = releases(path=versions).history()[-1]
    assert release.outcome is Event.REFUSED
    assert release.has_end
    assert release.verdicts == caught.value.verdicts
    assert release.steps == ()
    assert platform.traffic == live
    assert not [key for key in platform.blobs.objects if key.endswith("lock.json")]


def test_an_override_is_recorded_with_its_reason_and_its_author(releases, versions):
    releases(path=versions).deploy(1)
    overrides = {"contract": "all clients were updated"}
    outcome = releases(path=versions, who="bob", overrides=overrides).deploy(2)
    assert outcome.changed
    release = releases(path=versions).history()[-1]
    (contract, _) = release.verdicts
    assert (release.outcome, release.who) == (Event.FINISHED, "bob")
    assert (contract.ruling, contract.reason) == ("overridden", "all clients were updated")
    assert contract.findings


def test_an_override_of_a_gate_that_passes_is_not_recorded(releases, versions):
    outcome = releases(path=versions, overrides={"load": "why not"}).deploy(1)
    assert rulings(outcome) == [("load", "passed")]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"contrat": "x"}, "there is no gate `contrat` to override"),
        ({"contract": "  "}, "the override of the gate `contract` has no reason"),
    ],
)
def test_a_wrong_override_is_refused_at_once(releases, overrides, message):
    with pytest.raises(UserError) as caught:
        releases(overrides=overrides)
    assert caught.value.message == message


def test_gates_can_be_turned_off(releases, platform, versions):
    off = GateSettings(contract=False, load=False)
    releases(path=versions).deploy(1)
    lines = []
    outcome = releases(lines, path=versions, gates=off).deploy(2)
    assert outcome.verdicts == ()
    assert any(line.startswith("breaking: ") for line in lines)


def test_a_load_gate_that_is_off_warns(releases, platform, versions, monkeypatch):
    def check(artifact):
        raise ModelError("the image has no op `Foo`")

    monkeypatch.setattr(platform, "check", check)
    lines = []
    assert releases(lines, path=versions, gates=GateSettings(load=False)).deploy(1).changed
    assert lines[0] == "warning: the image has no op `Foo`"


def test_a_changed_byte_of_a_variable_is_refused_before_anything_is_uploaded(
    releases, platform, shared_models, tmp_path
):
    shutil.copytree(shared_models / "tfs_half_plus_two_2v" / "123", tmp_path / "half" / "1")
    (shard,) = tmp_path.glob("half/1/variables/variables.data-*")
    shard.write_bytes(bytes([shard.read_bytes()[0] ^ 1]) + shard.read_bytes()[1:])
    with pytest.raises(GateRefusedError, match="do not match their checksums"):
        releases(path=tmp_path / "half").deploy(1)
    assert platform.blobs.uploads == []
    assert platform.deployed == {}


def test_a_refused_load_is_overridden(releases, platform, versions, monkeypatch):
    def check(artifact):
        raise ModelError("the image has no op `Foo`")

    monkeypatch.setattr(platform, "check", check)
    outcome = releases(path=versions, overrides={"load": "a patched image"}).deploy(1)
    assert rulings(outcome) == [("load", "overridden")]


def test_a_platform_refusal_that_no_gate_covers_is_raised_before_the_first_write(
    releases, platform, versions, monkeypatch
):
    def check(artifact):
        raise UserError("the bucket is elsewhere")

    monkeypatch.setattr(platform, "check", check)
    for gates in (GateSettings(), GateSettings(load=False)):
        with pytest.raises(UserError, match="elsewhere"):
            releases(path=versions, gates=gates, overrides={"load": "x"}).deploy(1)
    assert platform.blobs.objects == {}


def test_the_platform_is_asked_once_by_a_deploy(releases, platform, versions, monkeypatch):
    requests = []
    monkeypatch.setattr(platform, "check", lambda artifact: requests.append(artifact) or ())
    platform.blobs.is_made = False
    releases(path=versions).deploy(1)
    assert len(requests) == 1


def test_an_applied_plan_is_checked_against_the_target_again(
    tmp_path, releases, platform, versions, monkeypatch
):
    file = tmp_path / "plan.json"
    write_plan(releases(path=versions).plan_deploy(1), file, "ada")

    def check(artifact):
        raise ModelError("the image has no op `Foo`")

    monkeypatch.setattr(platform, "check", check)
    with pytest.raises(GateRefusedError, match="no op `Foo`"):
        releases(path=versions).apply(read_plan(file))
    assert platform.performed == []


def test_an_uploaded_revision_is_checked_from_the_bucket(releases, platform, versions):
    """A deploy that was cut off after its upload needs no local files to be checked again."""
    local = releases(path=versions).plan_deploy(1).verdicts
    releases(path=versions).deploy(1)
    verbs = releases(path=versions)
    plan = verbs.plan_deploy(3)
    releases(path=versions).deploy(3)
    assert (
        verbs._gates.models.artifact(plan.revision).ops == verbs._local.artifact(versions / "3").ops
    )
    assert local[0].figures["ops"] == len(verbs._gates.models.artifact(plan.revision).ops)
    assert local[0].figures["bytes"] == verbs._gates.models.artifact(plan.revision).size


def test_changed_gates_make_an_approved_plan_out_of_date(releases, versions):
    plan = releases(path=versions).plan_deploy(1)
    from cloudserve.errors import ConflictError

    with pytest.raises(ConflictError, match="other gates are to be checked now"):
        releases(path=versions, gates=GateSettings(load=False)).apply(plan)


def test_a_rollback_after_a_refused_promotion_goes_back_as_if_it_had_not_been(
    releases, platform, versions
):
    releases(path=versions).deploy(1)
    releases(path=versions).deploy(3)
    first = next(iter(platform.traffic))
    releases(path=versions).promote("3")
    releases(path=versions, allow_breaking=True).deploy(2)
    with pytest.raises(GateRefusedError):
        releases(path=versions).promote("2")
    releases(path=versions).rollback()
    assert platform.traffic == {first: 1.0}


def test_progress_has_a_line_for_each_verdict(releases, versions):
    lines = []
    releases(path=versions).deploy(1)
    with pytest.raises(GateRefusedError):
        releases(lines, path=versions).deploy(2)
    assert [line.partition(",")[0] for line in lines if line.startswith("gate")] == [
        "gate contract: refused"
    ]
