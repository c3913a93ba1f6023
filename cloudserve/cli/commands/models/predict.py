"""`cloudserve predict`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from cloudserve.cli.consent import announce
from cloudserve.cli.options import (
    Decimal,
    Number,
    load,
    names_of,
    project_options,
    subjects_of,
    target_option_for,
)
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.formats import FOR_PROGRAMS
from cloudserve.cli.render.models.predictions import print_answer, print_response
from cloudserve.cli.render.report import GITHUB
from cloudserve.errors import UserError

if TYPE_CHECKING:
    from cloudserve.client import Client
    from cloudserve.client.payloads.asking import PayloadOptions

Function = TypeVar("Function", bound=Callable[..., Any])
_FILE = NamedPath()
_MODEL_FILES = {".tflite", ".onnx"}


def _payload_options(command: Function) -> Function:
    """Add the options that say what is sent."""
    options = (
        click.option(
            "--input",
            "source",
            type=click.File("rb"),
            metavar="FILE",
            help='A file with the JSON request, {"instances": [...]}; by default standard input.',
        ),
        click.option(
            "--image",
            "images",
            type=_FILE,
            multiple=True,
            metavar="FILE",
            help="An image: its bytes for a string input, otherwise its pixels, resized to the "
            "input's shape. Can be repeated.",
        ),
        click.option(
            "--scale",
            type=float,
            metavar="NUMBER",
            default=1.0,
            show_default=True,
            help="Divide the pixels of --image, which are from 0 to 255, by this number.",
        ),
        click.option(
            "--example",
            "examples",
            multiple=True,
            metavar="JSON",
            help="The features of a tf.Example, as a JSON object. Can be repeated.",
        ),
        click.option(
            "--npy",
            type=_FILE,
            metavar="FILE",
            help="An array of numpy (.npy), or arrays by input (.npz).",
        ),
        click.option("--text", "texts", multiple=True, help="A text. Can be repeated."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("predict")
@click.argument("model", shell_complete=names_of("models"))
@target_option_for(
    "A target of the project file, for a model of it; may be omitted if there is only one."
)
@click.option(
    "--version",
    metavar="VERSION",
    help="Ask this version, regardless of the traffic split; of a server also a label.",
)
@click.option("--signature", metavar="NAME", help="The signature; by default serving_default.")
@_payload_options
@click.option(
    "--repeat",
    type=Number(min=1),
    default=1,
    help="Send the request this often, one after the other, and print a summary of the times.",
)
@click.option(
    "--timeout",
    type=Decimal(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="The time for the answer, with all retries.",
)
@click.option("--auth-token-file", type=_FILE, metavar="FILE", help="A bearer token for a server.")
@click.option(
    "--ca-file", type=_FILE, metavar="FILE", help="Certificates to trust, for https and grpcs."
)
@project_options
@click.option(
    "--output",
    "-o",
    type=click.Choice(["table", *FOR_PROGRAMS, GITHUB, "npy"]),
    metavar="FORMAT",
    default="json",
    envvar="CLOUDSERVE_OUTPUT",
    show_envvar=True,
    show_default=True,
    help=f"The format of the result: table, {', '.join(FOR_PROGRAMS)}, {GITHUB}, npy.",
)
def command(  # noqa: PLR0913 - keywords, one per option
    *,
    model: str,
    target: str | None,
    version: str | None,
    signature: str | None,
    repeat: int,
    timeout: float,
    auth_token_file: Path | None,
    ca_file: Path | None,
    project_file: Path,
    settings: tuple[str, ...],
    output: str,
    **payload: Any,
) -> None:
    """Send a request to a deployed model, a server, or a model directory.

    MODEL is a model of the project, which is asked on the target, a URL
    (http://HOST:PORT/v1/models/NAME, grpc://HOST:PORT/NAME), an endpoint's own name
    (arn:aws:sagemaker:…, projects/P/locations/L/endpoints/E), or without --target a directory
    with a "/" in its path, whose model runs in this process.

    A JSON request is sent unchanged, and the response is printed unchanged. Images, texts,
    examples and arrays are checked against the signature first. `--output table` prints one line
    per prediction, `npy` writes the output as an array (.npz if there are several).
    """
    from cloudserve.client import Access, Client
    from cloudserve.client.payloads.asking import PayloadOptions
    from cloudserve.client.transports.access import read_token

    source: BinaryIO | None = payload.pop("source")
    options = PayloadOptions(**payload)
    options.check(has_source=source is not None)
    access = Access(token=read_token(auth_token_file), ca_file=ca_file)
    _check_model(model)
    if _is_address(model, target):
        client = Client(model, version=version, access=access, timeout=timeout)
        if client.has_destination:
            announce(client.destination)
    else:
        (subject,) = subjects_of(model, target, project_file, settings)
        project = load(project_file, settings)
        client = Client(project, model, subject.target, version=version, timeout=timeout)
        announce(client.destination)
    with client:
        if options.is_empty:
            _send(client, source, signature, repeat, output)
        else:
            _predict(client, options, signature, repeat, output)


def _check_model(model: str) -> None:
    """Raise UserError for the file of a request in place of a model.

    A file without a suffix may have the name of a model of the project.
    """
    path = Path(model)
    is_name = "/" not in model and not path.suffix
    if not is_name and path.suffix not in _MODEL_FILES and path.is_file():
        raise UserError(
            f"`{model}` is a file, not a model",
            where="the argument MODEL",
            hint=f"name the model first, and the request as an option: --input {model}",
        )


def _is_address(model: str, target: str | None) -> bool:
    is_url = "://" in model or model.startswith(("unix:", "arn:"))
    return is_url or (target is None and "/" in model)


def _send(
    client: Client, source: BinaryIO | None, signature: str | None, repeat: int, output: str
) -> None:
    if signature is not None:
        raise UserError(
            "a JSON request names its signature itself",
            hint='write "signature_name" into the request, without --signature',
        )
    from cloudserve.client.payloads.asking import repeated

    source = source or sys.stdin.buffer
    if source.isatty():
        click.echo("reading the request from the terminal; end it with Ctrl-D", err=True)
    body = source.read()
    answer, times = repeated(lambda: client.send(body), repeat)
    print_response(answer, client.where, output, times)


def _predict(
    client: Client, options: PayloadOptions, signature: str | None, repeat: int, output: str
) -> None:
    from cloudserve.client.payloads.asking import repeated

    inputs = options.inputs(client, signature or "")
    answer, times = repeated(lambda: client.predict(inputs, signature=signature), repeat)
    print_answer(answer, output, times)
