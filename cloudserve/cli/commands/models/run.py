"""`cloudserve run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from cloudserve.cli.model_argument import locate, resolve_version, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, names_of, print_progress, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.formats import FOR_PROGRAMS, converted
from cloudserve.cli.render.report import output_option, print_report, print_result
from cloudserve.errors import UserError
from cloudserve.local.model_run import (
    ArrayFile,
    BytesFile,
    Examples,
    Expression,
    RunRequest,
    Source,
)

_ARRAY_FILE = re.compile(r".+\.(?:npy|npz|pkl|pickle)(?:\[[^\[\]]+\])?")


@click.command("run")
@click.argument("model", required=False, shell_complete=names_of("models"))
@click.option("--dir", "folder", metavar="MODEL", help="The same as MODEL.")
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@tags_option
@click.option(
    "--signature",
    "--signature_def",
    "signature",
    default="",
    metavar="NAME",
    help="The signature; by default serving_default, or the only one.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input: FILE.npy, FILE.npz[KEY], a list such as [[1.0, 2.0]], or a call such as "
    "np.zeros((1, 28, 28)). Can be repeated.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="NAME=FILE",
    help="An input of one string: the bytes of a file, such as an image. Can be repeated.",
)
@click.option(
    "--examples",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input of serialized tf.Examples: FILE.tfrecord, or [{'age': [31]}]. Can be repeated.",
)
@click.option(
    "--json",
    "body",
    type=click.File("rb"),
    metavar="FILE",
    help='The JSON of a REST request, {"instances": …}; `-` is standard input.',
)
@click.option("--inputs", "cli_inputs", hidden=True, default="")
@click.option("--input_exprs", "cli_exprs", hidden=True, default="")
@click.option("--input_examples", "cli_examples", hidden=True, default="")
@click.option("--tag_set", hidden=True)
@click.option(
    "--outdir",
    type=NamedPath(file_okay=False),
    help="Also write each output to OUTDIR/NAME.npy.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files in --outdir.")
@project_option
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    model: str | None,
    folder: str | None,
    version: int | None,
    tags: str | None,
    signature: str,
    inputs: tuple[str, ...],
    files: tuple[str, ...],
    examples: tuple[str, ...],
    body: BinaryIO | None,
    cli_inputs: str,
    cli_exprs: str,
    cli_examples: str,
    tag_set: str | None,
    outdir: Path | None,
    overwrite: bool,
    project_file: Path,
    output: str,
) -> None:
    """Run a SavedModel once on inputs of the command line or of files.

    MODEL is a SavedModel directory, a base path with NUMBER/ directories, the URL of either in a
    bucket, or a model of the project; also a TensorFlow Lite or ONNX file. The inputs are
    numbers and texts, never Python code. The options of `saved_model_cli run` are understood too:
    --dir, --tag_set, --signature_def, --inputs, --input_exprs, --input_examples, --outdir,
    --overwrite. With `-o json` the response is printed that TensorFlow Serving would send.
    """
    from cloudserve.cli.render.models.run import run_report
    from cloudserve.registry import local_server
    from cloudserve.storage.model_source import named_by_url

    located = locate(_only(model, folder), project_file)
    directory = resolve_version(located, version)
    sources = _merged(
        _sources(inputs, _array),
        _sources(_split(cli_inputs), _file),
        _sources(_split(cli_exprs), Expression),
        _sources(files, lambda text: BytesFile(Path(text))),
        _sources([*examples, *_split(cli_examples)], _examples),
    )
    if body is not None and sources:
        raise click.UsageError("--json has all inputs: it cannot be combined with others")
    request = RunRequest(
        signature,
        sources,
        body.read() if body is not None else None,
        split_tags(tags or tag_set, located.tags),
        outdir,
        overwrite,
    )
    with named_by_url(located, directory):
        result = local_server().run_once(directory, request)
    for path in result.files:
        print_progress(f"wrote {path}")
    if output in FOR_PROGRAMS:
        print_result(converted(result.answer, output))
    else:
        print_report(run_report(result), output)


def _only(model: str | None, folder: str | None) -> str:
    if model and folder:
        raise click.UsageError("give MODEL or --dir, not both")
    if not (model or folder):
        raise click.UsageError("Missing argument 'MODEL'.")
    return str(model or folder)


def _split(text: str) -> list[str]:
    """Return the parts of an option of `saved_model_cli`, which separates inputs by semicolons."""
    return [part for part in text.split(";") if part.strip()]


Named = tuple[str, Source]


def _merged(*options: Iterable[Named]) -> dict[str, Source]:
    """Return the inputs of all options by name; raises UserError for a repeated one."""
    sources: dict[str, Source] = {}
    for name, source in chain.from_iterable(options):
        if name in sources:
            raise UserError(f"the input {name} is given twice", hint="give it once")
        sources[name] = source
    return sources


def _sources(texts: Iterable[str], read: Callable[[str], Source]) -> Iterator[Named]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UserError(f"`{text}` is not NAME=VALUE", hint="write --input x=[[1.0, 2.0]]")
        yield name.strip(), read(value.strip())


def _array(text: str) -> Source:
    return _file(text) if _ARRAY_FILE.fullmatch(text) else Expression(text)


def _file(text: str) -> Source:
    name, bracket, key = text.partition("[")
    if not name.strip():
        hint = "give FILE.npy or FILE.npz[KEY], or the value as --input x=[[1.0, 2.0]]"
        raise UserError(f"`{text}` names no file", hint=hint)
    return ArrayFile(Path(name), key.rstrip("]") if bracket else "")


def _examples(text: str) -> Source:
    is_text = text.startswith(("[", "{"))
    return Examples(text) if is_text else Examples(path=Path(text))
