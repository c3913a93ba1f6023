"""`cloudserve logs` with the real command line against the real emulator."""

import json
import signal

MARK = '"POST /invocations HTTP/1.1" 200'


def ask(terminal, value):
    body = json.dumps({"instances": [value]})
    terminal.ok("predict", terminal.model, "-t", "aws", stdin=body)


def test_the_requests_of_an_endpoint_are_shown_and_followed(terminal):
    name = terminal.model
    code, out, err = terminal.run("logs", name, "-t", "aws")
    assert (code, out) == (0, "")
    assert "nothing was logged since" in err
    terminal.ok("deploy", name, "-t", "aws", "--version", "1")
    ask(terminal, 1.0)
    ask(terminal, 2.0)
    (line,) = terminal.ok("logs", name, "-t", "aws", "--grep", MARK, "--tail", "1").splitlines()
    time, source, text = line.split("  ", 2)
    assert (len(time), text.startswith("127.0.0.1"), MARK in text) == (19, True, True)
    assert source.startswith("v1-")
    lines = terminal.ok("logs", name, "-t", "aws", "--grep", MARK, "-o", "json").splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) >= 2
    assert all(set(one) == {"time", "source", "text", "id", "severity"} for one in documents)
    with terminal.start("logs", name, "-t", "aws", "-f", "--grep", MARK, "--tail", "1") as process:
        first = process.stdout.readline()
        ask(terminal, 3.0)
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    assert (MARK in first, MARK in second, rest) == (True, True, "")
    assert first == f"{line}\n"
    assert process.returncode == 130


def test_wrong_requests_are_refused_with_a_hint(terminal):
    name = terminal.model
    code, _, err = terminal.run("logs", name, "-t", "aws", "--since", "yesterday")
    assert code == 2
    assert "'yesterday' is not a duration such as `10m`" in err
    code, _, err = terminal.run("logs", name, "-t", "gcp")
    assert code == 2
    assert "a target of `ai-platform` has no logs that can be read here" in err
    code, _, err = terminal.run("logs", name, "-t", "aws", "--job", "no-such-job")
    assert code == 2
    assert f"{name} on aws has no transform job no-such-job" in err
