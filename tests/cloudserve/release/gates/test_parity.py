"""The gate parity: the deployed revision answers as the same files do in the local server."""

from __future__ import annotations

import json
import shutil

import pytest

from cloudserve.errors import ConflictError, GateRefusedError, RemoteError, UserError
from cloudserve.golden.ask import served_locally
from cloudserve.golden.file import Example, Golden, Header, write_golden
from cloudserve.project.gate_settings import GateSettings, ParitySettings, RequestSettings
from cloudserve.release.gates.report import report_now

OFF = GateSettings(contract=False)


def gates(file="", requests=6, **tolerances):
    settings = ParitySettings(RequestSettings(file, requests), tolerances)
    return GateSettings(contract=False, parity=settings)


@pytest.fixture(scope="module")
def local(shared_models):
    """Serve the model of version 124 once, as the platform of these tests does."""
    with served_locally(shared_models / "tfs_half_plus_two_2v" / "124") as ask:
        yield ask


@pytest.fixture
def two(releases, platform, local, monkeypatch):
    """Deploy 123, which is live, and 124; return what changes the platform's answers."""
    change = [lambda answer: answer]

    def predict(model, body, revision_id=None):
        assert revision_id.startswith("v124-")
        return json.dumps(change[0](json.loads(local(body)))).encode()

    monkeypatch.setattr(platform, "predict", predict)
    monkeypatch.setattr(platform, "server_of", lambda model, name: "the-image:1", raising=False)
    why = staticmethod(lambda reading, revision_id: "")
    monkeypatch.setattr(type(platform), "why_not_asked", why, raising=False)
    releases(gates=OFF).deploy(123)
    releases(gates=OFF).deploy(124)
    return change


def parity(outcome):
    return next(verdict for verdict in outcome.verdicts if verdict.gate == "parity")


def test_the_certificate_names_model_image_requests_and_the_largest_difference(releases, two):
    outcome = releases(gates=gates()).promote("124")
    verdict = parity(outcome)
    assert verdict.sentence.startswith("6 of 6 requests are answered as locally; numbers differ by")
    figures = verdict.figures
    assert figures["digest"] == outcome.plan.revision.digest
    assert figures["image"] == "the-image:1"
    assert "TensorFlow 2." in figures["local"]
    (step,) = [step for step in outcome.plan.gates if step.gate == "parity"]
    assert figures["payloads"] == step.args["payloads"]
    assert (figures["ulp"], figures["absolute"]) == (0, 0.0)
    report = report_now(outcome.plan, outcome.verdicts, "ada")
    assert f"| payloads | {figures['payloads']} |" in report.markdown()
    assert report.document()["gates"][-1].figures["image"] == "the-image:1"


def test_a_platform_that_answers_otherwise_gets_no_traffic(releases, platform, two):
    def other(answer):
        return {"predictions": [[value[0] + 0.5] for value in answer["predictions"]]}

    live, two[0] = dict(platform.traffic), other
    with pytest.raises(GateRefusedError, match="6 of 6 requests are answered differently: "):
        releases(gates=gates()).promote("124")
    assert platform.traffic == live
    figures = parity(releases(gates=gates(absolute=0.51)).promote("124")).figures
    assert figures["absolute"] == pytest.approx(0.5)


def test_the_requests_of_a_golden_file_are_sent(releases, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = Example({"instances": [1.0]}, {"predictions": ["of no account"]})
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    verdict = parity(releases(gates=gates("{model}.jsonl")).promote("124"))
    assert verdict.figures["source"] == "1 request of {model}.jsonl"
    with pytest.raises(UserError, match="the golden file cannot be read"):
        releases(gates=gates("missing.jsonl")).plan_promote("123", percent=50)


def test_requests_that_both_refuse_prove_nothing(releases, platform, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = Example({"instances": ["text"]}, labels=[0])
    write_golden(Golden(Header(), (example,)), tmp_path / "g.jsonl")
    with pytest.raises(GateRefusedError, match="both servers refuse all of 1 request"):
        releases(gates=gates("g.jsonl")).promote("124")

    def fail(model, body, revision_id=None):
        raise RemoteError("boom", status=500)

    monkeypatch.setattr(platform, "predict", fail)
    with pytest.raises(GateRefusedError, match=r"status 500 \(boom\) instead of an error of"):
        releases(gates=gates("g.jsonl")).promote("124")


def test_other_requests_than_the_approved_ones_make_a_plan_out_of_date(releases, two):
    plan = releases(gates=gates(requests=6)).plan_promote("124")
    with pytest.raises(ConflictError, match="other gates are to be checked now"):
        releases(gates=gates(requests=7)).apply(plan)


def test_without_requests_to_the_revision_the_gate_refuses_with_the_reason(
    releases, platform, two, monkeypatch
):
    why = staticmethod(lambda reading, revision_id: "the traffic decides who answers")
    monkeypatch.setattr(type(platform), "why_not_asked", why)
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=gates()).promote("124")
    assert caught.value.message.endswith("with local ones: the traffic decides who answers")
    assert caught.value.hint.startswith("turn the gate off for this target")


def test_a_script_that_only_the_container_runs_is_not_compared(
    releases, two, platform, base, tmp_path
):
    models = tmp_path / "models"
    shutil.copytree(base, models, copy_function=shutil.copyfile)
    (models / "124" / "code").mkdir()
    (models / "124" / "code" / "inference.py").write_text("def handler(data, context): ...\n")
    releases(gates=OFF, path=models).deploy(124)
    script = next(name for name, d in platform.deployed.items() if name.startswith("v124"))
    newest = list(platform.deployed)[-1]
    assert script != newest
    verdict = parity(releases(gates=gates(), path=models).promote(newest))
    assert (verdict.ruling, verdict.figures["image"]) == ("unchecked", "the-image:1")
