"""Write `templates/monitoring/dashboard.json`, a Grafana dashboard of a model server's metrics.

    python tools/write_dashboard.py

The format is the dashboard model of Grafana (its documentation, "Dashboard JSON model"), schema 39,
which Grafana 10 and 11 import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "templates" / "monitoring" / "dashboard.json"
SCHEMA = 39
WIDTH, HEIGHT = 24, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ONE = 'job=~"$job",instance=~"$instance"'
MODEL = f'{ONE},model_name=~"$model"'
RATE = "[$__rate_interval]"
VERSION = "{{model_name}} {{version}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot: its title, its unit in Grafana's names, and its queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    text: str = ""


def rate(metric: str, labels: str = MODEL, by: str = "model_name, version") -> str:
    """Return the rate of a counter, summed."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}{RATE}))"


def quantile(
    share: float, metric: str, labels: str = MODEL, by: str = "model_name, version"
) -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels, f'{by}, le')})"


def mean(metric: str, labels: str = ONE) -> str:
    """Return the mean of a histogram's values."""
    total, count = (rate(f"{metric}_{part}", labels, "instance") for part in ("sum", "count"))
    return f"{total} / {count}"


BATCHES = ":tensorflow:serving:batching_session:"
REQUESTS = "cloudserve_requests_total"
SECONDS = "cloudserve_request_seconds"
FAILED = rate(REQUESTS, f'{MODEL},status!="OK"', "model_name, version, status")
FAILED_LOADS = ':tensorflow:cc:saved_model:load_attempt_count{%s,status!="success"}'
PANELS = (
    Panel("Requests", "reqps", ((rate(REQUESTS), VERSION),)),
    Panel(
        "Errors",
        "percentunit",
        (
            (
                f"{FAILED} / on (model_name, version) group_left {rate(REQUESTS)}",
                f"{VERSION} {{{{status}}}}",
            ),
        ),
        text="The share of the requests that failed, by status.",
    ),
    Panel(
        "Latency",
        "s",
        tuple(
            (quantile(share, SECONDS), f"{VERSION} p{share * 100:g}") for share in (0.5, 0.95, 0.99)
        ),
        text="The time in the server, of successful requests.",
    ),
    Panel(
        "Requests in flight",
        "none",
        ((f"sum by (model_name, version) (cloudserve_requests_in_flight{{{MODEL}}})", VERSION),),
    ),
    Panel(
        "Requests that wait for a batch",
        "none",
        ((f"sum by (model_name, version) (cloudserve_batch_queue_depth{{{MODEL}}})", VERSION),),
    ),
    Panel(
        "Batch size",
        "none",
        (
            (mean(f"{BATCHES}processed_batch_size"), "{{instance}} run"),
            (mean(f"{BATCHES}input_batch_size"), "{{instance}} of a request"),
        ),
        text="The mean number of rows: of the runs, and of the requests that they are made of.",
    ),
    Panel(
        "Time in the runtime",
        "µs",
        tuple(
            (
                quantile(share, ":tensorflow:serving:runtime_latency", MODEL, "model_name"),
                f"{{{{model_name}}}} p{share * 100:g}",
            )
            for share in (0.5, 0.99)
        ),
    ),
    Panel(
        "Versions",
        "none",
        ((f"cloudserve_model_state{{{MODEL}}} == 1", "{{instance}} " + VERSION + " {{state}}"),),
        text="END is a version that could not be loaded.",
    ),
    Panel(
        "Refused models and defects",
        "none",
        (
            (f"cloudserve_defects_total{{{ONE}}}", "defect {{place}} {{error}}"),
            (
                f"sum by (instance) ({FAILED_LOADS % ONE})",
                "failed loads {{instance}}",
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard's document."""
    return {
        "title": "cloudserve",
        "uid": "cloudserve",
        "tags": ["tensorflow", "cloudserve"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    queries = {
        "job": "label_values(cloudserve_model_state, job)",
        "instance": 'label_values(cloudserve_model_state{job=~"$job"}, instance)',
        "model": f"label_values(cloudserve_model_state{{{ONE}}}, model_name)",
    }
    for name, query in queries.items():
        yield {
            "name": name,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    across = WIDTH // 3
    place = {"w": across, "h": HEIGHT, "x": across * (number % 3), "y": HEIGHT * (number // 3)}
    return {
        "id": number + 1,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n", "utf-8")
