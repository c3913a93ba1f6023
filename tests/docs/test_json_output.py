"""The page on JSON output has the fields that the commands print, and no others."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cloudserve.cli.errors import run
from cloudserve.release.capacity import Machines
from cloudserve.release.inspection.drift import Setting
from cloudserve.savedmodel import proto

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json-output.md"
SECTION = re.compile(r"^## (.+?)\n\n```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROJECT = "models:\n  half:\n    path: {path}\ntargets:\n  here:\n    provider: memory\n"
CANARY = ("--canary", "--requests", "requests.jsonl", "--steps", "50", "--rate", "10000")
TUNE = ("tune", "--p99", "60s", "--rate", "50", "-d", "0.2", "--max-batch-size", "1")
OWN = {"args", "deployment", "figures", "gates", "settings"}
"""Fields whose content another section, a gate or an adapter defines."""


def shape(value):
    """Return the fields of a document and of nested ones, without their values."""
    if isinstance(value, dict):
        return {name: None if name in OWN else shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        shapes = [shape(inner) for inner in value if isinstance(inner, dict)]
        return shapes[:1]
    return None


def shown():
    result = {}
    for title, text in SECTION.findall(PAGE.read_text()):
        for command in title.replace(", and --dry-run", "").split(", "):
            result[command] = shape(json.loads(text))
    return result


@pytest.fixture
def printed(tmp_path, monkeypatch, base, platform, releases, capsys):
    """Return a function that runs a command in a project on a platform in memory."""
    stages = [(), (Machines("v123", "small", 1),)]
    platform.__class__ = type("Counting", (type(platform),), {"machines": lambda *_: stages})
    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=base))
    (tmp_path / "requests.jsonl").write_text("{}")
    monkeypatch.chdir(tmp_path)

    def run_json(*arguments, code=0):
        capsys.readouterr()
        assert run([*arguments, "--output", "json"]) == code
        return shape(json.loads(capsys.readouterr().out))

    return run_json


@pytest.fixture
def classifiers(tmp_path, shared_models):
    """Give a real classifier, and the same without one of its signatures."""
    live = shared_models / "tfx_taxi_estimator" / "1646034756"
    new = tmp_path / "classifier"
    shutil.copytree(live, new, copy_function=shutil.copyfile)
    message = proto.SavedModel.FromString((live / "saved_model.pb").read_bytes())
    del message.meta_graphs[0].signature_def["regression"]
    (new / "saved_model.pb").write_bytes(message.SerializeToString())
    return str(live), str(new)


def test_the_page_shows_exactly_the_printed_fields(printed, base, classifiers, platform):
    subject = ("half", "--target", "here")
    documents = {
        "inspect": printed("inspect", "half"),
        "diff": printed("diff", *classifiers, code=6),
        "diff --target": drifted(printed, platform),
        "plan": printed("plan", "deploy", *subject, "--version", "123", "--out", "plan.json"),
        "apply": printed("apply", "plan.json"),
        "deploy": printed("deploy", *subject),
        "promote": printed("promote", *subject),
        "rollback": printed("rollback", *subject),
        "promote --canary": printed("promote", *subject, *CANARY),
        "status": printed("status", *subject),
        "history": printed("history", *subject),
        "gc": collected(printed, platform),
        "approve": printed("approve", *subject),
        "undeploy": printed("undeploy", *subject),
        "pull": printed("pull", *subject, "--into", "back"),
        "tune": printed(*TUNE[:1], str(base), *TUNE[1:]),
        "bench": printed("bench", str(base), "-n", "20", "--warm-up", "0"),
    }
    assert documents == shown()


def drifted(printed, platform):
    """Return what `diff --target` prints where an adapter reports a difference."""
    platform.differing = (Setting("InstanceType", "large", "small"),)
    document = printed("diff", "half", "--target", "here", code=1)
    platform.differing = ()
    return document


def collected(printed, platform):
    """Return what `gc` prints where it removes one unused resource and lists an unknown object."""
    platform.leftovers = True
    platform.blobs.write("cloudserve/half/notes.txt", b"mine")
    return printed("gc", "half", "--target", "here", "--keep", "1")


def test_a_dry_run_prints_what_a_plan_prints(printed):
    assert printed("deploy", "half", "-t", "here", "--dry-run") == shown()["plan"]
