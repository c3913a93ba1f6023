"""`cloudserve tune`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.commands.servers.bench import read_shapes
from cloudserve.cli.model_argument import locate
from cloudserve.cli.options import Decimal, Number, names_of, print_progress, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_report
from cloudserve.errors import CheckFailedError, ConflictError

if TYPE_CHECKING:
    from cloudserve.bench import Tuning

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)?")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, None: 1.0}
_BATCHING, _SAGEMAKER, _PAGE = "batching.config", "sagemaker.env", "tuning.html"
_WHAT = "the folder of the parameters"


def _milliseconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Return the milliseconds of `50ms`, `0.2s` or `50`."""
    match = _DURATION.fullmatch(value.strip())
    if match is None or not float(match[1]) > 0:
        raise click.BadParameter(f"`{value}` is not a time such as 50ms", context, parameter)
    return float(match[1]) * _MILLISECONDS[match[2]]


@click.command("tune")
@click.argument("model", shell_complete=names_of("models"))
@click.option(
    "--p99",
    "objective",
    required=True,
    metavar="TIME",
    callback=_milliseconds,
    help="The objective: the 99th percentile of the latency, such as 50ms.",
)
@click.option(
    "--rate",
    type=Decimal(0, min_open=True),
    metavar="N",
    help="Verify N requests per second; by default the highest rate that meets the objective is "
    "searched.",
)
@click.option("--signature", default="serving_default", help="The signature.")
@click.option(
    "--shape",
    "shapes",
    callback=read_shapes,
    multiple=True,
    metavar="INPUT=SIZES",
    help="The shape of an input, such as x=1,224,224,3; the first size is the batch's.",
)
@click.option(
    "--max-batch-size",
    "most_rows",
    type=Number(min=1, max=4096),
    default=128,
    help="The largest batch to measure.",
)
@click.option(
    "--duration",
    "-d",
    "seconds",
    type=Decimal(0, min_open=True),
    metavar="SECONDS",
    default=3.0,
    help="The duration of each load.",
)
@click.option(
    "--devices",
    default="",
    metavar="DEVICES",
    help="The replicas of the model, as for `serve`.",
)
@click.option("--grpc", "use_grpc", is_flag=True, help="Send gRPC instead of REST.")
@click.option(
    "--into",
    type=NamedPath(),
    metavar="DIRECTORY",
    help=f"Write {_BATCHING}, {_SAGEMAKER} and {_PAGE} into a new directory.",
)
@project_option
@output_option
def command(
    *,
    model: str,
    into: Path | None,
    output: str,
    devices: str,
    project_file: Path,
    **options: Any,
) -> None:
    """Choose batching parameters for a latency objective, and verify them under load.

    Measures the model's cost by batch size with several numbers of threads, chooses the fastest
    size that fits the objective, and loads a server with it. MODEL is a SavedModel directory, a
    base path with NUMBER/ directories, the URL of either in a bucket, or a model of the project. If
    no tried rate meets the objective, the command shows what was measured and exits with 6.
    """
    from cloudserve.bench import TuneSettings, tune
    from cloudserve.cli.render.tuning import tuning_report
    from cloudserve.storage.model_source import ModelSource

    if into:
        _check(into)
    source = ModelSource(locate(model, project_file))
    _, path = source.resolve()
    replicas = tuple(devices.split(",")) if devices else ()
    tuning = tune(
        path, TuneSettings(devices=replicas, catch_signals=True, **options), print_progress
    )
    print_report(tuning_report(tuning), output)
    source.close()
    if into:
        _write(into, tuning)
    if tuning.rate is None:
        raise _unmet(tuning)


def _check(folder: Path) -> None:
    """Find out before the measurement whether the folder can be made."""
    from cloudserve.outputs import check_outside_models

    check_outside_models(folder, _WHAT)
    if folder.exists():
        raise ConflictError(f"{folder} already exists", hint="give another --into, or remove it")


def _write(folder: Path, tuning: Tuning) -> None:
    from cloudserve.bench.tuning import batching_file, sagemaker_variables
    from cloudserve.bench.tuning_page import tuning_page
    from cloudserve.output_folder import output_folder

    parameters = tuning.parameters
    variables = sagemaker_variables(parameters)
    texts = {
        **({_BATCHING: batching_file(parameters)} if parameters.is_batching else {}),
        _SAGEMAKER: "".join(f"{name}={shlex.quote(text)}\n" for name, text in variables.items()),
        _PAGE: tuning_page(tuning),
    }
    with output_folder(folder, _WHAT) as draft:
        for name, text in texts.items():
            (draft / name).write_text(text)
    print_progress(f"wrote {', '.join(texts)} into {folder}")


def _unmet(tuning: Tuning) -> CheckFailedError:
    tried = [trial for trial in tuning.trials if trial.p99 is not None and not trial.failed]
    best = min(tried, key=lambda trial: trial.p99 or 0.0, default=None)
    objective = f"a 99th percentile of {tuning.objective:g} ms was not met"
    if best is None or best.p99 is None:
        return CheckFailedError(
            f"{objective}: requests failed at every rate",
            where=tuning.path,
            hint="see why with `cloudserve bench`, at a rate of your own",
        )
    rate = f"{best.throughput:,.0f} answers per second"
    return CheckFailedError(
        f"{objective}: the best was {best.p99:.1f} ms, at {rate}",
        where=tuning.path,
        hint="raise the objective, lower --rate, or make the model faster",
    )
