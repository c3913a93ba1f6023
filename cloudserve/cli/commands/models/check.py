"""`cloudserve check`."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.check.finding import CheckReport, Severity
from cloudserve.cli.consent import announce
from cloudserve.cli.model_argument import locate, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, load, names_of, print_progress, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_report
from cloudserve.errors import ModelError, UserError

if TYPE_CHECKING:
    from cloudserve.release.provider import Provider


@click.command("check")
@click.argument("model", shell_complete=names_of("models"))
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@tags_option
@click.option(
    "--for",
    "target",
    metavar="TARGET",
    shell_complete=names_of("targets"),
    help="Also compare the model with a target of the project: its image, limits and fields. "
    "This reads the target's platform and changes nothing.",
)
@click.option(
    "--tensorflow",
    metavar="VERSION",
    help="Also compare the model's ops with those of TensorFlow Serving VERSION, such as 2.15.",
)
@click.option("--strict", is_flag=True, help="Fail for warnings too.")
@click.option(
    "--report",
    type=NamedPath(dir_okay=False),
    metavar="FILE.xml",
    help="Also write the findings as JUnit XML, a test case for each rule.",
)
@project_option
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    model: str,
    version: int | None,
    tags: str | None,
    target: str | None,
    tensorflow: str | None,
    strict: bool,
    report: Path | None,
    project_file: Path,
    output: str,
) -> None:
    """Find what a server or a platform will not do with a SavedModel.

    MODEL is a SavedModel directory, a base path with NUMBER/ directories, a URL of either in a
    bucket, or a model of the project. The files alone are read, without TensorFlow. An error means
    that no server answers with the model, or with a signature of it: the command exits with 3. With
    a warning some requests or platforms are refused.
    """
    from cloudserve.check.check import check_model
    from cloudserve.cli.render.models.check import check_report, counts
    from cloudserve.outputs import REPORT, check_output
    from cloudserve.storage.model_source import ModelSource

    if report:
        check_output(report, REPORT, "a report")
    located = locate(model, project_file)
    number, folder = ModelSource(located).resolve(version)
    chosen = split_tags(tags, located.tags)
    base = folder if located.url else located.path
    checked = replace(check_model(base, number, folder, chosen), url=located.url)
    if checked.is_readable:
        checked = _with_servers(checked, chosen, target, tensorflow, project_file)
    if report:
        _write(checked, report)
    print_report(check_report(checked), output)
    if not checked.is_servable or (strict and checked.count(Severity.WARNING)):
        raise ModelError(
            f"the check found {counts(checked)}", where=checked.where, hint="see what to do above"
        )


def _with_servers(
    checked: CheckReport,
    tags: tuple[str, ...],
    target: str | None,
    tensorflow: str | None,
    project_file: Path,
) -> CheckReport:
    from cloudserve.release.planning.server_check import (
        artifact_of,
        check_for_target,
        check_for_version,
    )

    if not target and not tensorflow:
        return checked
    artifact = artifact_of(checked, tags)
    if tensorflow:
        checked = check_for_version(checked, tensorflow, artifact)
    if target:
        provider = _provider(target, project_file)
        checked = check_for_target(checked, target, lambda: provider.check(artifact))
    return checked


def _provider(target: str, project_file: Path) -> Provider:
    from cloudserve import registry
    from cloudserve.release.destination import destination_of

    named = load(project_file, ()).target(target)
    provider: Provider = registry.provider(named, os.environ)
    announce(destination_of(named, provider.destination()))
    return provider


def _write(checked: CheckReport, path: Path) -> None:
    from cloudserve.check.xml import findings_xml
    from cloudserve.files import replace_atomically

    try:
        replace_atomically(path, findings_xml(checked, datetime.now(UTC)))
    except OSError as error:
        raise UserError(
            f"the report cannot be written: {error.strerror}",
            where=str(path),
            hint="name a file in an existing folder",
        ) from error
    print_progress(f"wrote {path}")
