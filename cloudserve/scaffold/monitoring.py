"""Files for Grafana and Prometheus that fit the metrics of cloudserve's model servers."""

from __future__ import annotations

from importlib.resources import files

_FOLDER = "cloudserve.templates.monitoring"


def dashboard() -> str:
    """Return the JSON of a Grafana dashboard."""
    return files(_FOLDER).joinpath("dashboard.json").read_text("utf-8")


def alerts() -> str:
    """Return a file of alerting rules for Prometheus."""
    return files(_FOLDER).joinpath("alerts.yml").read_text("utf-8")
