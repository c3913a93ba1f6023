"""`cloudserve bench`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.options import Decimal, Number, print_progress
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.errors import CheckFailedError, UnreachableError, UserError
from cloudserve.plural import counted

if TYPE_CHECKING:
    from cloudserve.bench import Load, Result, Settings

_FILE = NamedPath(exists=True, dir_okay=False)
_SECONDS = Decimal(0, min_open=True)


def read_shapes(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of options such as `x=1,224,224,3` by input alias."""
    shapes = {}
    for value in values:
        alias, equals, sizes = value.rpartition("=")
        words = sizes.split(",")
        if not equals or not alias or not all(word.isdecimal() for word in words):
            message = f"`{value}` is not INPUT=SIZE,SIZE,…"
            raise click.BadParameter(message, context, parameter)
        shapes[alias] = tuple(map(int, words))
    return shapes


@click.command("bench")
@click.argument("subject", metavar="URL|PATH")
@click.argument("server_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS]")
@click.option("--grpc", "use_grpc", is_flag=True, help="With PATH: send gRPC instead of REST.")
@click.option(
    "--connections",
    "-c",
    type=Number(min=1),
    default=16,
    help="Requests in flight; with --rate the most.",
)
@click.option(
    "--rate",
    "-r",
    type=Decimal(0, min_open=True),
    metavar="N",
    help="Send N requests per second, regardless of the answers (open loop). By default each "
    "answer is followed by the next request (closed loop).",
)
@click.option(
    "--arrivals",
    type=click.Choice(["constant", "poisson"]),
    default="constant",
    help="With --rate: the distances between requests.",
)
@click.option(
    "--duration",
    "-d",
    "seconds",
    type=_SECONDS,
    metavar="SECONDS",
    default=10.0,
    help="The duration of the measurement.",
)
@click.option("--requests", "-n", type=Number(min=1), help="Measure so many requests instead.")
@click.option(
    "--warm-up",
    type=Decimal(0),
    metavar="SECONDS",
    default=1.0,
    help="The duration of the same load before the measurement.",
)
@click.option(
    "--timeout",
    type=_SECONDS,
    metavar="SECONDS",
    default=10.0,
    help="The time after which a request has failed.",
)
@click.option("--signature", default="serving_default", help="The signature.")
@click.option("--rows", type=Number(min=1), default=1, help="Rows of a generated request.")
@click.option(
    "--shape",
    "shapes",
    callback=read_shapes,
    multiple=True,
    metavar="INPUT=SIZES",
    help="The shape of a generated input, such as x=1,224,224,3; can be repeated.",
)
@click.option(
    "--payload",
    type=_FILE,
    help="Send this JSON request, or those of a .jsonl file in turn, instead of generated ones.",
)
@click.option("--auth-token-file", type=_FILE, help="Send the first bearer token of this file.")
@click.option("--ca-file", type=_FILE, help="Trust these certificates (PEM) for https and grpcs.")
@click.option(
    "--html",
    type=NamedPath(dir_okay=False),
    metavar="FILE",
    help="Write the result with plots to a page without external files.",
)
@output_option
def command(*, subject: str, html: Path | None, output: str, **options: Any) -> int | None:
    """Measure a server's throughput and latency under load.

    URL is a model of a TensorFlow Serving server, http://HOST:PORT/v1/models/NAME or
    grpc://HOST:PORT/NAME, or any HTTP URL with --payload. For PATH, a SavedModel, a TensorFlow Lite
    or ONNX file, or a base path, `cloudserve serve` is started with OPTIONS and stopped afterwards.
    Requests are generated from the model's signature. Latencies of an open loop count from the time
    at which a request was due. Ctrl-C ends the measurement and prints its result so far (exit code
    130). Failed requests exit with 6, a server that stops answering with 4.
    """
    from cloudserve.bench import measure

    load, settings = _load(options), _settings(options)
    if html:
        _check_writable(html)
    print_progress(f"measuring {subject} for {_extent(load)}")
    result = measure(subject, load, settings)
    print_report(_report(result), output)
    if html:
        _write_page(html, result)
    return _exit_code(result)


def _load(options: dict[str, Any]) -> Load:
    from cloudserve.bench import Arrivals, Load

    names = ("connections", "rate", "seconds", "requests", "warm_up", "timeout")
    arrivals = Arrivals(options["arrivals"])
    return Load(arrivals=arrivals, **{name: options[name] for name in names})


def _settings(options: dict[str, Any]) -> Settings:
    from cloudserve.bench import Request, Settings

    request = Request(options["signature"], options["rows"], options["shapes"])
    names = ("payload", "use_grpc", "server_options", "auth_token_file", "ca_file")
    return Settings(request, catch_signals=True, **{name: options[name] for name in names})


def _extent(load: Load) -> str:
    return counted(load.requests, "request") if load.requests else f"{load.seconds:g} s"


def _report(result: Result) -> Report:
    from cloudserve.bench.text import summary

    tables = [Table(("server", result.url), summary(result))]
    if result.notes:
        tables.append(Table(("notes", ""), [("-", note) for note in result.notes]))
    return Report(result, tuple(tables))


def _check_writable(file: Path) -> None:
    """Refuse a page that could not be written, before the measurement."""
    from cloudserve.outputs import PAGE, check_output

    check_output(file, PAGE, "a page of a load test")
    if not os.access(file.parent, os.W_OK):
        raise UserError("the page cannot be written", where=str(file), hint="give another FILE")


def _write_page(file: Path, result: Result) -> None:
    from cloudserve.bench.page import result_page
    from cloudserve.files import replace_atomically

    replace_atomically(file, result_page(result).encode())


def _exit_code(result: Result) -> int | None:
    """Return 130 after an interrupt; raise the error of a failed measurement."""
    from cloudserve.cli.exits import Exit

    if result.interrupted:
        print_progress("interrupted: the result covers the time until then")
        return Exit.INTERRUPTED
    if result.ended:
        message = f"{result.ended}, {result.seconds:.1f} s into the measurement"
        raise UnreachableError(message, where=result.url, hint="read the server's log")
    if result.failed:
        total = result.failed + result.answered
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in result.failures.items())
        raise CheckFailedError(
            f"{result.failed:,} of {counted(total, 'request')} failed: {kinds}",
            where=result.url,
            hint="send one with `cloudserve predict` to see the error; read the server's log",
        )
    return None
