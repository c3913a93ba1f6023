"""`cloudserve status` of a whole project, with the real command line against the real emulator."""

import json


def test_every_model_on_every_target_is_shown_and_one_failure_hides_no_other(terminal):
    name = terminal.model
    found = json.loads(terminal.ok("status", "-o", "json"))
    assert [(one["target"], one["deployment"]["live"]) for one in found] == [
        ("gcp", None),
        ("aws", None),
    ]
    terminal.ok("deploy", name, "-t", "aws", "--version", "1")
    lines = terminal.ok("status").splitlines()
    assert lines[0].split() == ["MODEL", "TARGET", "LIVE", "TRAFFIC", "VERSIONS", "STATE"]
    assert lines[1].split()[:2] == [name, "gcp"]
    assert lines[1].endswith("not deployed")
    assert lines[2].split()[3:] == ["100%", "1", "ready"]
    file = terminal.folder / "cloudserve.yaml"
    file.write_text(file.read_text().replace("bucket: gs://", "bucket: s3://"))
    code, out, err = terminal.run("status")
    assert code == 4
    unknown, reason, well = out.splitlines()[1:4]
    assert unknown.split()[-1] == "unknown"
    assert "To do:" in reason
    assert well.split()[-1] == "ready"
    assert "Traceback" not in err


def test_one_target_is_shown_when_it_is_named(terminal):
    found = json.loads(terminal.ok("status", "-t", "aws", "-o", "json"))
    assert [(one["model"], one["target"], one["error"]) for one in found] == [
        (terminal.model, "aws", None)
    ]
    code, _, err = terminal.run("status", "-t", "azure")
    assert (code, "no target `azure`" in err) == (2, True)
