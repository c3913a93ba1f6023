"""`cloudserve batch`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import job_confirmation, yes_option
from cloudserve.cli.options import Number, Subject, print_progress, project_options, target_options
from cloudserve.cli.render.report import Report, Table, output_option, print_report

FORMATS = ("jsonl", "csv", "tf-record", "tf-record-gzip")
COLUMNS = ("REVISION", "SUCCEEDED", "FAILED")


@click.command("batch")
@target_options
@click.option(
    "--input",
    "files",
    multiple=True,
    metavar="FILE",
    required=True,
    help="A file of instances: a local path or a bucket URL; can be repeated.",
)
@click.option(
    "--to", metavar="URL", help="Bucket URL prefix for the results; by default the target's bucket."
)
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; by default the live one."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="jsonl",
    help="The format of the files.",
)
@click.option(
    "--batch-size",
    type=Number(min=0),
    default=0,
    help="Instances per request to the container; 0 leaves it to the platform.",
)
@yes_option
@project_options
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    subject: Subject,
    files: tuple[str, ...],
    to: str | None,
    version: str | None,
    form: str,
    batch_size: int,
    yes: bool,
    output: str,
) -> None:
    """Run predictions for files of instances as a job.

    The platform starts machines for the job and writes one line per instance: its prediction or its
    error. Local files are uploaded first. The revision does not have to be on the endpoint.
    """
    from cloudserve.predict.batch import run_batch

    result = run_batch(
        subject.project(),
        subject.model,
        subject.target,
        files,
        version=version,
        output=to,
        form=form,
        batch_size=batch_size,
        notify=print_progress,
        begin=job_confirmation(f"a batch job of {subject}", yes=yes),
    )
    row = (result.revision, f"{result.succeeded:,}", f"{result.failed:,}")
    notes = {0: result.output}  # below the row, as a URL is copied and hence not broken
    table = Table(COLUMNS, [row], f"{subject}: {result.job}", notes)
    print_report(Report(result, (table,)), output)
