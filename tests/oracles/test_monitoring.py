"""The dashboard and the alerts, with a real Prometheus that scrapes a real server.

PROMETHEUS is the folder of the programs prometheus and promtool (`make oracle-monitoring`).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from cloudserve.scaffold import alerts, dashboard

PROMETHEUS = os.environ.get("PROMETHEUS", "")
CLOUDSERVE = os.environ.get("CLOUDSERVE", "cloudserve")
PATIENCE = 60
VARIABLES = {"job": ".*", "instance": ".*", "model": ".*", "__rate_interval": "20s"}

pytestmark = [
    pytest.mark.skipif(not PROMETHEUS, reason="run by `make oracle-monitoring`"),
    pytest.mark.timeout(300),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, body=None):
    try:
        with urllib.request.urlopen(url, body, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"not within {PATIENCE} s: {what}")


@pytest.fixture(scope="module")
def server(shared_models, tmp_path_factory):
    """Serve a model with a good and a broken version."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(shared_models / "tfs_half_plus_two_2v", folder / "half")
    port = free_port()
    command = [
        str(Path(CLOUDSERVE).absolute()),
        "serve",
        "half",
        "--port",
        str(port),
        "--grpc-port",
        "0",
    ]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        until(lambda: b"AVAILABLE" in get(f"{url}/v1/models/half"), "the model is available")
        (folder / "half" / "999").mkdir()
        (folder / "half" / "999" / "saved_model.pb").write_bytes(b"no model")
        until(lambda: b'"999"' in get(f"{url}/v1/models/half"), "the broken version is found")
        yield url
        process.terminate()


@pytest.fixture(scope="module")
def query(server, tmp_path_factory):
    """Scrape the server while it is asked, and return a function that asks Prometheus."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "alerts.yml").write_text(alerts())
    scrape = {
        "job_name": "cloudserve",
        "metrics_path": "/monitoring/prometheus/metrics",
        "static_configs": [{"targets": [server.removeprefix("http://")]}],
    }
    settings = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump(settings | {"rule_files": ["alerts.yml"], "scrape_configs": [scrape]})
    )
    port = free_port()
    command = [
        str(Path(PROMETHEUS, "prometheus").absolute()),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}/api/v1"

    def ask(expression):
        for _ in range(3):
            get(f"{server}/v1/models/half:predict", b'{"instances": [1.0, 2.0]}')
            get(f"{server}/v1/models/half:predict", b'{"instances": ["a"]}')
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(get(f"{url}/query?{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        until(lambda: ask('up{job="cloudserve"} == 1'), "the server is scraped")
        ask.rules = lambda: json.loads(get(f"{url}/rules"))["data"]["groups"]
        yield ask
        process.terminate()


def expressions():
    for panel in json.loads(dashboard())["panels"]:
        for target in panel["targets"]:
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(f"${name}", value)
            yield pytest.param(text, id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_plot_has_data(query, expression):
    if "cloudserve_defects_total" in expression:
        assert query(expression) == []  # nothing is wrong
        return
    until(lambda: query(expression), expression)


def test_the_alerts_are_loaded_and_the_failed_version_is_pending_or_fires(query):
    def state():
        (group,) = query.rules()
        states = {rule["name"]: rule["state"] for rule in group["rules"]}
        assert all(rule["health"] in {"ok", "unknown"} for rule in group["rules"])
        return states if states["CloudserveVersionFailed"] != "inactive" else None

    states = until(state, "the alert of the failed version")
    assert states["CloudserveModelUnavailable"] == "inactive"
    assert states["CloudserveServerDown"] == "inactive"


GOOD = 'job="cloudserve", instance="a", model_name="m", version="1"'
CASES = [
    ("CloudserveServerDown", {'up{job="cloudserve", instance="a"}': "1x5 0x20"}, "10m"),
    (
        "CloudserveModelUnavailable",
        {f'cloudserve_model_state{{{GOOD}, state="LOADING"}}': "1x30"},
        "10m",
    ),
    ("CloudserveVersionFailed", {f'cloudserve_model_state{{{GOOD}, state="END"}}': "1x30"}, "5m"),
    (
        "CloudserveErrors",
        {
            f'cloudserve_requests_total{{{GOOD}, status="OK"}}': "0+98x30",
            f'cloudserve_requests_total{{{GOOD}, status="INTERNAL"}}': "0+2x30",
        },
        "20m",
    ),
    (
        "CloudserveSlow",
        {
            f'cloudserve_request_seconds_bucket{{{GOOD}, le="0.5"}}': "0+90x40",
            f'cloudserve_request_seconds_bucket{{{GOOD}, le="1"}}': "0+100x40",
            f'cloudserve_request_seconds_bucket{{{GOOD}, le="+Inf"}}': "0+100x40",
        },
        "30m",
    ),
    (
        "CloudserveQueueFull",
        {f'cloudserve_requests_total{{{GOOD}, status="UNAVAILABLE"}}': "0+1x30"},
        "15m",
    ),
    (
        "CloudserveRequestLogIncomplete",
        {
            ':tensorflow:serving:request_log_count{job="cloudserve", instance="a", model_name="m", '
            'status_code="RESOURCE_EXHAUSTED"}': "0+1x30"
        },
        "20m",
    ),
    (
        "CloudserveDefect",
        {'cloudserve_defects_total{job="cloudserve", place="p", error="E"}': "_x5 1x10"},
        "10m",
    ),
]
QUIET = {
    'up{job="cloudserve", instance="a"}': "1x40",
    f'cloudserve_model_state{{{GOOD}, state="AVAILABLE"}}': "1x40",
    f'cloudserve_requests_total{{{GOOD}, status="OK"}}': "0+995x40",
    f'cloudserve_requests_total{{{GOOD}, status="INTERNAL"}}': "0+5x40",
    f'cloudserve_requests_total{{{GOOD}, status="INVALID_ARGUMENT"}}': "0+500x40",
}


def fired(folder, series, at):
    """Return the alerts that fire at a time, as promtool computes them from series."""
    (folder / "alerts.yml").write_text(alerts())
    names = [case[0] for case in CASES]
    given = [{"series": name, "values": values} for name, values in series.items()]
    checks = [{"eval_time": at, "alertname": name, "exp_alerts": []} for name in names]
    test = {"interval": "1m", "input_series": given, "alert_rule_test": checks}
    (folder / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["alerts.yml"], "tests": [test]})
    )
    command = [str(Path(PROMETHEUS, "promtool").absolute()), "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return set(re.findall(r"alertname: (\w+), time", done.stdout + done.stderr))


@pytest.mark.parametrize(("name", "series", "at"), CASES, ids=[case[0] for case in CASES])
def test_an_alert_fires_for_its_fault(tmp_path, name, series, at):
    assert name in fired(tmp_path, series, at)


def test_no_alert_fires_for_a_good_server_and_careless_callers(tmp_path):
    assert fired(tmp_path, QUIET, "30m") == set()
