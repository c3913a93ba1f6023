"""The dashboard and the alerts name only metrics and labels that a server exposes.

`make oracle-monitoring` asks a real Prometheus for each expression.
"""

import json
import os
import re
import runpy
from pathlib import Path

import pytest
import yaml
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from cloudserve.local_server.status import Code

from cloudserve.cli.errors import run
from cloudserve.cli.exits import Exit
from cloudserve.scaffold import alerts, dashboard

TOOL = Path(__file__).parents[3] / "tools" / "write_dashboard.py"
METRIC = re.compile(r"(:tensorflow:[a-z:_]+|cloudserve_[a-z_]+)(?:{([^}]*)})?")
REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED"}
FROM_PROMETHEUS = {"job", "instance"}
SUFFIXES = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def exposed():
    metrics = ServingMetrics()
    metrics.watch(lambda: ())
    metrics.watch_queues(lambda: ())
    return {
        metric.name: (
            metric.kind,
            set(metric.labels if hasattr(metric, "labels") else metric._labels),
        )
        for metric in metrics._metrics
    }


def panels():
    return [
        target["expr"] for panel in json.loads(dashboard())["panels"] for target in panel["targets"]
    ]


def rules():
    (group,) = yaml.safe_load(alerts())["groups"]
    return group["rules"]


def base_name(name, exposed):
    """Return a metric's name without the suffix of a histogram's series."""
    if name in exposed:
        return name
    base = next(name.removesuffix(each) for each in SUFFIXES if name.endswith(each))
    assert exposed[base][0] == "histogram", name
    return base


@pytest.mark.parametrize("expression", [*panels(), *(rule["expr"] for rule in rules())])
def test_an_expression_names_metrics_and_labels_of_the_server(exposed, expression):
    found = [match for match in METRIC.finditer(expression) if "by (" not in match[0]]
    assert found or "up{" in expression
    for name, selector in (match.groups() for match in found):
        labels = set(re.findall(r"([a-z_A-Z]+)[=!]", selector or ""))
        assert labels <= exposed[base_name(name, exposed)][1] | FROM_PROMETHEUS, expression


def test_every_failure_that_is_not_its_callers_fault_is_alerted():
    (rule,) = (rule for rule in rules() if rule["alert"] == "CloudserveErrors")
    counted = set(re.search(r'status=~"([A-Z_|]+)"', rule["expr"])[1].split("|"))
    of_callers = {"CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "OUT_OF_RANGE"}
    assert counted == {code.name for code in Code} - of_callers - {"OK", *REFUSED}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alerts_text_names_labels_that_its_expression_keeps(exposed, rule):
    text = " ".join(rule["annotations"].values())
    kept = re.search(r"by \(([a-z_, ]+)\)", rule["expr"])
    metric = METRIC.search(rule["expr"])
    labels = kept[1].split(", ") if kept else exposed[metric[1]][1] if metric else ()
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= {*labels, *FROM_PROMETHEUS}


def test_the_dashboards_file_is_what_the_tool_writes():
    assert json.loads(dashboard()) == runpy.run_path(str(TOOL))["dashboard"]()


def test_no_two_panels_overlap():
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in json.loads(dashboard())["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(("name", "text"), [("dashboard", dashboard), ("alerts", alerts)])
def test_the_command_prints_or_writes_the_file(tmp_path, monkeypatch, capsys, name, text):
    monkeypatch.chdir(tmp_path)
    assert run(["metrics", name]) == 0
    assert capsys.readouterr().out == text()
    assert run(["metrics", name, "--out", "here"]) == 0
    assert Path("here").read_text("utf-8") == text()
    assert capsys.readouterr().err == "wrote here\n"


def test_an_existing_file_is_kept_unless_forced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("alerts.yml").write_text("mine")
    assert run(["metrics", "alerts", "--out", "alerts.yml"]) == 5
    assert Path("alerts.yml").read_text() == "mine"
    assert "  to do: replace it with --force" in capsys.readouterr().err
    assert run(["metrics", "alerts", "--out", "alerts.yml", "--force"]) == 0
    assert Path("alerts.yml").read_text() == alerts()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_force_replaces_files_only(kind, tmp_path, capsys):
    path = tmp_path / "out"
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    assert run(["metrics", "alerts", "--out", str(path), "--force"]) == Exit.USAGE
    assert path.is_fifo() or path.is_dir()
    assert ("is not a file" if kind == "pipe" else "is a directory") in capsys.readouterr().err


def test_a_file_is_not_written_into_a_model(tmp_path, capsys):
    (tmp_path / "saved_model.pb").touch()
    assert run(["metrics", "alerts", "--out", str(tmp_path / "a.yml")]) == Exit.CONFLICT
    assert "would be part of the model" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model.pb"]
