"""`cloudserve bench` from outside: output, exit codes, Ctrl-C, a server that is killed."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudserve.bench.child import child_server
from cloudserve.cli.errors import run

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))


@pytest.fixture(scope="module")
def half(shared_models):
    with child_server(shared_models / "tfs_half_plus_two_cpu") as server:
        yield server


@pytest.fixture
def start(half):
    """Give what starts a long measurement in a process, and waits until it is under way."""
    started = []

    def begin(url):
        command = [CLOUDSERVE, "bench", url, "--duration", "60", "--warm-up", "0", "-o", "json"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        assert process.stderr.readline().startswith("measuring ")
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def wait_until_measured(server, more=200):
    """Wait until the server's own count of predictions has grown."""
    import urllib.request

    url = server.rest.partition("/v1/")[0] + "/monitoring/prometheus/metrics"

    def count():
        text = urllib.request.urlopen(url).read().decode()
        result = re.findall(r'^cloudserve_requests_total\{.*"OK"\} (\d+)', text, re.MULTILINE)
        return sum(map(int, result))

    wanted = count() + more
    while count() < wanted:
        pass


def test_the_result_is_a_table_and_a_page(half, tmp_path, capsys):
    page = tmp_path / "page.html"
    options = ("-d", "0.3", "--warm-up", "0", "-c", "2", "--rate", "50", "--html", str(page))
    assert run(["bench", half.rest, *options]) == 0
    out, err = capsys.readouterr()
    rows = dict(
        re.split(r"  +", line.strip(), maxsplit=1) for line in out.partition("\n\n")[0].splitlines()
    )
    assert rows["server"].startswith("http://127.0.0.1:") or "cores" in rows["server"]
    assert rows["load"] == "open loop, 50 requests per second, at most 2 in flight, 0.3 s"
    assert rows["answered"] == "15"
    assert {"p50", "p99.9", "throughput", "load generator"} <= set(rows)
    assert "p99.9 rests on less than one of 15 answers" in out
    assert err == f"measuring {half.rest} for 0.3 s\n"
    assert page.read_text().startswith("<!doctype html>")


def test_the_json_document_has_the_same_figures(half, capsys):
    assert run(["bench", half.grpc, "-n", "40", "--warm-up", "0", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["answered"], document["api"]) == (40, "gRPC")
    assert sorted(document["latency"]) == sorted(
        ["mean", "min", "p50", "p75", "p90", "p95", "p99", "p999", "max"]
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_prints_what_was_measured_and_exits_with_130(half, start, number):
    process = start(half.rest)
    wait_until_measured(half)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 130
    document = json.loads(out)
    assert document["interrupted"]
    assert document["answered"] > 0
    assert 0 < document["seconds"] < 60
    assert err == "interrupted: the result covers the time until then\n"


def test_a_server_that_is_killed_exits_with_4_after_the_result(shared_models, start):
    with child_server(shared_models / "tfs_half_plus_two_cpu") as server:
        process = start(server.rest)
        wait_until_measured(server)
        server.process.kill()
        out, err = process.communicate()
    assert process.returncode == 4
    assert json.loads(out)["answered"] > 0
    assert re.search(r"the server stopped answering: connection refused, \d+\.\d s", err)


def test_failed_requests_exit_with_6_after_the_result(half, tmp_path, capsys):
    payload = tmp_path / "requests.jsonl"
    payload.write_text('{"instances": [1.0]}\n{"instances": ["a"]}\n')
    options = ("--payload", str(payload), "-n", "20", "--warm-up", "0", "-c", "1")
    assert run(["bench", half.rest, *options]) == 6
    out, err = capsys.readouterr()
    assert re.search(r"^  HTTP 400 +10$", out, re.MULTILINE)
    assert err.splitlines()[1] == "error: 10 of 20 requests failed: 10 HTTP 400"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["localhost:8501"], 2, "`localhost:8501` is neither a directory nor the URL of a server"),
        (["http://127.0.0.1:9/v1/models/m"], 4, "no server answers at 127.0.0.1:9"),
        (["http://h/", "--shape", "x"], 2, "`x` is not INPUT=SIZE,SIZE,…"),
        (["http://h/", "--html", "/nowhere/page.html"], 2, "there is no folder `/nowhere`"),
        (["http://h/", "--rate", "0"], 2, "invalid value for '--rate'"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(arguments, code, message, capsys):
    assert run(["bench", *arguments]) == code
    assert message in capsys.readouterr().err
