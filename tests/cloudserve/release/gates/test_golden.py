"""The gate golden: recorded answers decide, on the platform where it can be asked."""

from __future__ import annotations

import json
import shutil

import pytest

from cloudserve.errors import ConflictError, GateRefusedError, RemoteError, UserError
from cloudserve.golden.file import Example, Golden, Header, write_golden
from cloudserve.project.gate_settings import (
    GateSettings,
    GoldenSettings,
    LatencySettings,
    ParitySettings,
    RequestSettings,
)
from cloudserve.release.state.entries import Event

SETTINGS = GateSettings(contract=False, golden=GoldenSettings("{model}.jsonl"))


@pytest.fixture
def versions(tmp_path, shared_models, monkeypatch):
    """Give a base path of x/2+2 and x/2+3, in a project folder with a golden file of the first."""
    base = tmp_path / "models"
    base.mkdir()
    (base / "1").symlink_to(shared_models / "tfs_half_plus_two_cpu" / "123")
    (base / "2").symlink_to(shared_models / "tfs_half_plus_three" / "123")
    example = Example({"instances": [1.0]}, {"predictions": [2.5]})
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    monkeypatch.chdir(tmp_path)
    return base


@pytest.fixture
def answers(platform, monkeypatch):
    """Let the platform answer each revision with the number after its version."""
    requests = []

    def predict(model, body, revision_id=None):
        requests.append((revision_id, json.loads(body)))
        number = int(revision_id.partition("-")[0].removeprefix("v"))
        return json.dumps({"predictions": [1.5 + number]}).encode()

    monkeypatch.setattr(platform, "predict", predict, raising=False)
    return requests


def asked_alone(platform, monkeypatch, reason=""):
    why = lambda reading, revision_id: reason  # noqa: E731
    monkeypatch.setattr(type(platform), "why_not_asked", staticmethod(why), raising=False)


def golden(release):
    return next(verdict for verdict in release.verdicts if verdict.gate == "golden")


def test_the_first_version_is_checked_in_the_local_server_before_it_is_live(
    releases, platform, versions
):
    verdict = golden(releases(path=versions, gates=SETTINGS).deploy(1))
    assert (verdict.ruling, verdict.figures["asked"]) == ("passed", "local")
    assert verdict.sentence == "1 of 1 answer as recorded, up to 0 ULP"


def test_a_first_version_with_other_answers_makes_no_bucket(releases, platform, versions):
    platform.blobs.is_made = False
    with pytest.raises(GateRefusedError) as caught:
        releases(path=versions, gates=SETTINGS).deploy(2)
    assert caught.value.message.startswith(
        "gate golden: 1 of 1 request has another answer: the output: up to 1 or 4,194,304 ULP away"
    )
    assert platform.blobs.objects == {}


def test_a_promotion_asks_the_deployed_revision_before_it_has_traffic(
    releases, platform, versions, answers, monkeypatch
):
    asked_alone(platform, monkeypatch)
    releases(path=versions, gates=SETTINGS).deploy(1)
    off = GateSettings(contract=False)
    revision = releases(path=versions, gates=off).deploy(2).plan.revision.id
    live = dict(platform.traffic)
    with pytest.raises(GateRefusedError, match=r"3\.5 instead of 2\.5"):
        releases(path=versions, gates=SETTINGS).promote("2")
    assert answers == [(revision, {"instances": [1.0]})]
    assert platform.traffic == live
    release = releases(path=versions).history()[-1]
    assert release.outcome is Event.REFUSED
    assert golden(release).figures["asked"] == "deployed"


def test_a_later_step_says_that_the_version_has_traffic(
    releases, platform, versions, answers, monkeypatch
):
    asked_alone(platform, monkeypatch)
    off = GateSettings(contract=False)
    releases(path=versions, gates=off).deploy(1)
    releases(path=versions, gates=off).deploy(2)
    steps = [releases(path=versions, gates=SETTINGS).plan_promote("2").gates[-1]]
    releases(path=versions, gates=off).promote("2", percent=10)
    steps.append(releases(path=versions, gates=SETTINGS).plan_promote("2").gates[-1])
    ends = ("on the platform, without traffic", "on the platform, with 10% of the traffic")
    assert tuple(step.sentence.partition(" to v2-")[2][13:] for step in steps) == ends


def test_without_requests_to_one_revision_the_local_server_answers_with_the_uploaded_files(
    releases, platform, versions, answers, monkeypatch
):
    asked_alone(platform, monkeypatch, "the endpoint's traffic decides who answers")
    releases(path=versions, gates=SETTINGS).deploy(1)
    off = GateSettings(contract=False)
    releases(path=versions, gates=off).deploy(2)
    (versions / "2").unlink()
    plan = releases(path=versions, gates=SETTINGS).plan_promote("2")
    assert plan.gates[-1].sentence.endswith(
        "in the local server, because the endpoint's traffic decides who answers"
    )
    with pytest.raises(GateRefusedError, match=r"3\.5 instead of 2\.5"):
        releases(path=versions, gates=SETTINGS).promote("2")
    assert answers == []


def test_an_error_of_the_deployed_revision_is_a_refusal(releases, platform, versions, monkeypatch):
    asked_alone(platform, monkeypatch)
    releases(path=versions).deploy(1)
    releases(path=versions, gates=GateSettings(contract=False)).deploy(2)

    def predict(model, body, revision_id=None):
        raise RemoteError("the model failed", status=500)

    monkeypatch.setattr(platform, "predict", predict)
    with pytest.raises(GateRefusedError, match="request 1: the model failed"):
        releases(path=versions, gates=SETTINGS).promote("2")


@pytest.mark.parametrize(("least", "passes"), [(0.5, True), (0.6, False)])
def test_labels_need_a_least_accuracy(releases, versions, tmp_path, least, passes):
    example = Example({"instances": [1.0, 5.0]}, labels=[2.5, 4.0])
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    settings = GateSettings(golden=GoldenSettings("half.jsonl", accuracy=least))
    verbs = releases(path=versions, gates=settings)
    if passes:
        verdict = golden(verbs.deploy(1))
        assert verdict.sentence == "1 of 2 labelled instances (50.0%) are right"
        assert verdict.figures["accuracy"] == 0.5
    else:
        with pytest.raises(GateRefusedError, match=r"are right, and at least 60\.0% are required"):
            verbs.deploy(1)


def test_labels_without_a_least_accuracy_would_pass_any_version(releases, versions, tmp_path):
    example = Example({"instances": [1.0, 5.0]}, labels=[2.5, 4.0])
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    settings = GateSettings(golden=GoldenSettings("half.jsonl"))
    with pytest.raises(UserError, match="it would pass any version"):
        releases(path=versions, gates=settings).deploy(1)


def test_the_targets_tolerance_replaces_that_of_the_file(releases, versions):
    settings = GateSettings(golden=GoldenSettings("half.jsonl", {"absolute": 1.0}))
    assert golden(releases(path=versions, gates=settings).deploy(2)).ruling == "passed"


def test_a_golden_file_that_changed_since_the_approval_makes_a_plan_out_of_date(
    releases, versions, tmp_path
):
    plan = releases(path=versions, gates=SETTINGS).plan_deploy(1)
    example = Example({"instances": [1.0]}, {"predictions": [9.0]})
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    with pytest.raises(ConflictError, match="or a golden file"):
        releases(path=versions, gates=SETTINGS).apply(plan)


def test_a_missing_golden_file_is_a_user_error_before_anything_is_sent(
    releases, platform, versions
):
    settings = GateSettings(golden=GoldenSettings("missing.jsonl"))
    with pytest.raises(UserError, match="the golden file cannot be read"):
        releases(path=versions, gates=settings).deploy(1)
    assert platform.blobs.objects == {}


def test_a_script_that_only_the_container_runs_is_not_checked_and_said_so(
    releases, versions, shared_models, tmp_path
):
    folder = shutil.copytree(
        shared_models / "tfs_half_plus_two_cpu" / "123",
        versions / "3",
        copy_function=shutil.copyfile,
    )
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text("def handler(data, context): ...\n")
    verdict = golden(releases(path=versions, gates=SETTINGS).deploy(3))
    assert verdict.ruling == "unchecked"
    assert verdict.sentence == "the local server does not run the model's code/inference.py"


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_requests_that_no_platform_has_a_method_for_are_refused_when_they_are_planned(
    releases, platform, versions, tmp_path, method
):
    predict = Example({"instances": [1.0]}, {"predictions": [2.5]})
    other = Example({"examples": [{"x": 1.0}]}, {"results": [2.5]}, method=method)
    write_golden(Golden(Header(), (predict, other)), tmp_path / "half.jsonl")
    verbs = releases(path=versions, gates=SETTINGS)
    for verb in (verbs.plan_deploy, verbs.deploy):
        with pytest.raises(UserError, match=f"has {method} requests, and the target's platform"):
            verb(1)
    assert platform.blobs.objects == {}


@pytest.mark.parametrize("gate", ["parity", "latency"])
def test_a_gate_without_a_predict_request_is_refused_when_it_is_planned(
    releases, platform, versions, tmp_path, answers, monkeypatch, gate
):
    asked_alone(platform, monkeypatch)
    other = Example({"examples": [{"x": 1.0}]}, {"results": [2.5]}, method="regress")
    write_golden(Golden(Header(), (other,)), tmp_path / "half.jsonl")
    off = GateSettings(contract=False)
    for number in (1, 2):
        releases(path=versions, gates=off).deploy(number)
    source = RequestSettings(file="half.jsonl")
    settings = {
        "parity": ParitySettings(requests=source),
        "latency": LatencySettings(bodies=source, milliseconds={"p50": 1000.0}),
    }
    gates = GateSettings(contract=False, **{gate: settings[gate]})
    with pytest.raises(UserError, match=f"the gate `{gate}` has no predict requests to send"):
        releases(path=versions, gates=gates).plan_promote()
    assert not answers
