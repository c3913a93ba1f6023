"""The options of commands that record requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from cloudserve.cli.options import Decimal, Number

if TYPE_CHECKING:
    from cloudserve.golden.recording import Recording

Function = TypeVar("Function", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--record",
        metavar="PATH",
        help="Record predictions in this golden file; a folder, such as `recorded/`, has a file "
        "for each model. Nothing is recorded by default.",
    ),
    click.option(
        "--record-rate",
        type=Decimal(0, 1),
        default=1.0,
        show_default=True,
        help="Fraction of requests to record.",
    ),
    click.option(
        "--record-most",
        type=Number(min=1),
        default=1000,
        show_default=True,
        help="The most examples of each signature of a version, over all runs.",
    ),
    click.option(
        "--redact",
        multiple=True,
        metavar="RULE",
        help="drop:NAME, hash:NAME or round:NAME:DIGITS, for an input or output in what is "
        "recorded; can be repeated. The key of hashes is CLOUDSERVE_RECORD_KEY.",
    ),
    click.option(
        "--record-errors", is_flag=True, help="Record requests that the model refuses, too."
    ),
)
_NAMES = ("record_rate", "record_most", "redact", "record_errors")


def record_options(function: Function) -> Function:
    """Add the options to a command; `take_recording` reads them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def take_recording(context: click.Context, options: dict[str, Any]) -> Recording | None:
    """Take the options out of a command's options; None if nothing is to be recorded.

    Raises click.UsageError for an option without `--record`, UserError for an invalid rule.
    """
    from cloudserve.golden.recording import recording

    path = options.pop("record")
    values = {name: options.pop(name) for name in _NAMES}
    for name in values:
        is_given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if path is None and is_given:
            raise click.UsageError(f"--{name.replace('_', '-')} requires --record", context)
    return recording(
        path,
        rate=values["record_rate"],
        most=values["record_most"],
        redact=values["redact"],
        errors=values["record_errors"],
    )
