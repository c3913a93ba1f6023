"""`cloudserve batch`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import asking_of_job, yes_option
from cloudserve.cli.options import Number, Subject, progress, project_options, target_options
from cloudserve.cli.render.report import Report, Table, output_option, show

FORMATS = ("jsonl", "csv", "tf-record", "tf-record-gzip")
COLUMNS = ("REVISION", "SUCCEEDED", "FAILED", "OUTPUT")


@click.command("batch")
@target_options
@click.option(
    "--input",
    "files",
    multiple=True,
    metavar="FILE",
    required=True,
    help="A file of instances, local or by its bucket URL (may be repeated).",
)
@click.option(
    "--to", metavar="URL", help="The bucket URL that the answers go below; the target's bucket."
)
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; the live one by default."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="jsonl", show_default=True,
    help="What the files hold.",
)  # fmt: skip
@click.option(
    "--batch-size", type=Number(min=0), default=0, show_default=True,
    help="Instances a request to the container; 0 leaves it to the platform.",
)  # fmt: skip
@yes_option
@project_options
@output_option
def command(  # noqa: PLR0913 - a parameter an option
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
    """Predict for files of instances, in a job.

    The platform starts machines for it, and writes a line an instance: the prediction, or the
    error. Local files are uploaded first. The revision need not be on the endpoint.
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
        notify=progress,
        begin=asking_of_job(f"a batch job of {subject}", yes=yes),
    )
    row = (result.revision, f"{result.succeeded:,}", f"{result.failed:,}", result.output)
    table = Table(COLUMNS, [row], f"{subject}: {result.job}")
    show(Report(result, (table,)), output)
