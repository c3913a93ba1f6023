"""Bad versions of five kinds on each platform, with the real SDKs: each is stopped by its gate.

A breaking contract, a missing op, wrong answers, slow answers, errors on a tenth of the requests:
the traffic stays where it was. Vertex AI cannot be asked for one deployment: there the local server
gives the answers, and what it cannot measure is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from cloudserve.errors import GateRefusedError
from cloudserve.project import Model, Project, Target
from cloudserve.project.gate_settings import (
    GateSettings,
    GoldenSettings,
    LatencySettings,
    ParitySettings,
    RequestSettings,
)
from cloudserve.release.service import Releases
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checks.op_table import read_table

HEADER = '{"golden": 1}'
EXAMPLE = '{"request": {"instances": [1.0, 5.0]}, "answer": {"predictions": [2.5, 4.5]}}'
OTHERS = '{"request": {"instances": [1.0]}, "answer": {"predictions": [3.5]}}'
GATES = "    gates: {contract: false, golden: {file: golden.jsonl}}\n"
ASKED = {"aws": "deployed", "gcp": "deployed", "vertex": "local"}
OFF = GateSettings(contract=False)
NEWER = min(read_table().versions["2.21"] - read_table().versions["2.20"])


def fields_of(target, bucket):
    if target == "aws":
        role = "arn:aws:iam::000000000000:role/rehearsal"
        return "sagemaker", {"bucket": f"s3://{bucket}", "role_arn": role}
    kind = "vertex" if target == "vertex" else "ai-platform"
    return kind, {"bucket": f"gs://{bucket}", "project": "rehearsal"}


class Platform:
    """A model on one target, with gates that each release has of its own."""

    def __init__(self, folder, name, target, clouds):
        self.folder, self.name, self.target = folder, name, target
        self.clouds = clouds
        self.environ = {**os.environ, **clouds.environment, "CLOUDSERVE_ACTOR": "ada"}

    def releases(self, gates=OFF, **options):
        kind, fields = fields_of(self.target, f"{self.name}-models")
        project = Project(
            self.folder / "cloudserve.yaml",
            {self.name: Model(self.name, self.folder / "model")},
            {self.target: Target(self.target, kind, fields, gates=gates)},
        )
        return Releases(project, self.name, self.target, environ=self.environ, **options)

    def refused(self, verb, argument, gates):
        """Run a verb that a gate refuses, and return its last verdict; the traffic is as before."""
        before = self.releases().status().traffic
        with pytest.raises(GateRefusedError) as caught:
            getattr(self.releases(gates), verb)(argument)
        assert self.releases().status().traffic == before
        return caught.value.verdicts[-1]

    @contextmanager
    def faults(self, **rule):
        """Let the predictions of this model fail or wait."""
        aws = self.target == "aws"
        route = f"POST /endpoints/{self.name}/*" if aws else f"POST *{self.name}*:predict"
        self._send("POST", {"faults": [{"route": route, **rule}]})
        try:
            yield
        finally:
            self._send("DELETE")

    def _send(self, method, body=None):
        base = self.environ["AWS_ENDPOINT_URL"].rstrip("/")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        urlopen(Request(f"{base}/_cloudserve/faults", data, headers, method=method)).close()


def with_newer_op(model, folder):
    """Copy a model, and multiply with an op that no platform's TensorFlow has."""
    shutil.copytree(model, folder, copy_function=shutil.copyfile)
    file = folder / "saved_model.pb"
    message = proto.SavedModel.FromString(file.read_bytes())
    for node in message.meta_graphs[0].graph_def.node:
        node.op = NEWER if node.op == "Mul" else node.op
    file.write_bytes(message.SerializeToString())


@pytest.fixture(params=["aws", "gcp", "vertex"])
def platform(request, tmp_path, clouds, shared_models, numbers):
    """Give a platform where x/2+2 is live; version 2 is x/2+3 with fewer signatures."""
    for number, name in (("1", "tfs_half_plus_two_cpu"), ("2", "tfs_half_plus_three")):
        link = tmp_path / "model" / number
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(shared_models / name / "123")
    with_newer_op(shared_models / "tfs_half_plus_three" / "123", tmp_path / "model" / "3")
    (tmp_path / "golden.jsonl").write_text(f"{HEADER}\n{EXAMPLE}\n")
    (tmp_path / "tenth.jsonl").write_text("\n".join([HEADER, *[OTHERS] * 10]))
    platform = Platform(tmp_path, f"gated{next(numbers)}", request.param, clouds)
    platform.releases().deploy(1)
    return platform


def test_bad_versions_of_five_kinds_are_stopped_by_their_gates(platform):
    contract = platform.refused("deploy", 2, GateSettings())
    assert contract.gate == "contract"
    assert "signature classify_x_to_y: is missing" in contract.findings[0]
    load = platform.refused("deploy", 3, OFF)
    assert load.gate == "load"
    assert f"has no op `{NEWER}`" in load.sentence

    platform.releases().deploy(2)
    golden = GateSettings(contract=False, golden=GoldenSettings("golden.jsonl"))
    wrong = platform.refused("promote", "2", golden)
    assert "predictions[0]: 3.5 instead of 2.5" in wrong.sentence
    assert wrong.figures["asked"] == ASKED[platform.target]

    bodies = RequestSettings("tenth.jsonl")
    fast = LatencySettings(bodies, requests=6, milliseconds={"p50": 40.0})
    latency = GateSettings(contract=False, latency=fast)
    with platform.faults(latency=0.1):
        slow = platform.refused("promote", "2", latency)
    if platform.target == "vertex":
        assert slow.sentence.startswith("the response times cannot be measured: Vertex AI does not")
    else:
        assert slow.sentence.startswith("p50 is more than 40 ms: ")

    tenth = GateSettings(contract=False, golden=GoldenSettings("tenth.jsonl"))
    error = {"code": "ModelError"} if platform.target == "aws" else {"status": 400}
    if platform.target != "vertex":
        with platform.faults(skip=9, times=1, **error):
            failing = platform.refused("promote", "2", tenth)
        assert failing.sentence.startswith("1 of 10 request has another answer: request 10: ")

    # The platform answers this version as the local server does, and nothing else is wrong with it.
    parity = GateSettings(contract=False, parity=ParitySettings(bodies))
    if platform.target == "vertex":
        assert "cannot be compared" in platform.refused("promote", "2", parity).sentence
        return
    (verdict,) = platform.releases(parity).promote("2").verdicts
    assert verdict.sentence.startswith("10 of 10 requests are answered as locally")
    server = {"aws": "/tensorflow-inference:2.", "gcp": "AI Platform runtime 2."}
    assert server[platform.target] in verdict.figures["image"]
    history = platform.releases().history()
    assert [release.outcome for release in history].count("refused") == 5


def test_another_method_under_the_same_signature_breaks_the_contract(
    tmp_path, clouds, shared_models, numbers
):
    """Version 2 of this model predicts, where version 1 classifies."""
    (tmp_path / "model").symlink_to(shared_models / "sts_template_app")
    platform = Platform(tmp_path, f"gated{next(numbers)}", "vertex", clouds)
    platform.releases().deploy(1)
    verdict = platform.refused("deploy", 2, GateSettings())
    assert verdict.gate == "contract"
    assert "method" in verdict.findings[0]


def test_the_command_exits_with_6_writes_the_report_and_takes_an_override(terminal):
    subject = (terminal.model, "-t", "aws")
    (terminal.folder / "golden.jsonl").write_text(f"{HEADER}\n{EXAMPLE}\n")
    terminal.ok("deploy", *subject, "--version", "1")
    terminal.ok("deploy", *subject, "--allow-breaking")
    file = Path(terminal.folder / "cloudserve.yaml")
    lines = file.read_text().splitlines(keepends=True)
    gates = (line + GATES if line.startswith("    provider:") else line for line in lines)
    file.write_text("".join(gates))
    code, out, err = terminal.run("promote", *subject, "--report", "gates.md")
    assert (code, out) == (6, "")
    assert "error: gate golden: 1 of 1 request has another answer: " in err
    assert "| golden | refused | " in (terminal.folder / "gates.md").read_text()
    terminal.ok("promote", *subject, "--override", "golden", "--reason", "clients expect it")
    answer = terminal.ok("predict", *subject, stdin='{"instances": [1.0, 5.0]}')
    assert json.loads(answer)["predictions"] == [3.5, 5.5]
