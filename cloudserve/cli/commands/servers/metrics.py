"""`cloudserve metrics`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cloudserve.cli.options import print_progress
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.formats import FOR_PROGRAMS, encoded
from cloudserve.cli.render.report import output_option, print_result, print_written


@click.group("metrics")
def command() -> None:
    """Write a Grafana dashboard or Prometheus alerts for the servers' metrics.

    The metrics are those of `serve` and `model-server`, at /monitoring/prometheus/metrics.
    """


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    out = click.option(
        "--out",
        type=NamedPath(dir_okay=False),
        metavar="FILE",
        help="Write a file, instead of printing it.",
    )
    force = click.option("--force", is_flag=True, help="Replace an existing file.")
    return out(force(output_option(function)))


@command.command("dashboard")
@_options
def dashboard_command(*, out: Path | None, force: bool, output: str) -> None:
    """Write the JSON of a dashboard, to import into Grafana."""
    from cloudserve.scaffold import dashboard

    _write(dashboard(), out, output, force=force)


@command.command("alerts")
@_options
def alerts_command(*, out: Path | None, force: bool, output: str) -> None:
    """Write alerting rules, for `rule_files` of Prometheus."""
    from cloudserve.scaffold import alerts

    _write(alerts(), out, output, force=force)


def _write(text: str, out: Path | None, output: str, *, force: bool) -> None:
    """Print a text, in its own format unless another is asked for, or write it into a file."""
    import yaml

    from cloudserve.hints import printable
    from cloudserve.outputs import check_outside_models
    from cloudserve.scaffold.new_file import write_new

    if out is None:
        is_own = output not in FOR_PROGRAMS
        # JSON is YAML.
        print_result(text.rstrip("\n") if is_own else encoded(yaml.safe_load(text), output))
        return
    check_outside_models(out, out.name)
    write_new(out, text, force=force)
    print_progress(f"wrote {out}")
    print_written({"path": printable(out)}, output)
