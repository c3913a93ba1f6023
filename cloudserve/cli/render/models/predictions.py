"""Answers to predictions: JSON, a table of one line per prediction, arrays of numpy."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudserve.cli.options import print_progress
from cloudserve.cli.render.formats import converted
from cloudserve.cli.render.report import Report, Table, print_report, print_result
from cloudserve.errors import UserError

if TYPE_CHECKING:
    from cloudserve.client import Answer


def print_response(response: bytes, where: str, output: str, times: Sequence[float]) -> None:
    """Print a JSON response: unchanged, or as a table; the times go to stderr."""
    from cloudserve.client.payloads.json_form import decode_json
    from cloudserve.client.payloads.raw import predictions_of

    match output:
        case "table" | "github":
            _print_table(predictions_of(response, where), output)
        case "npy":
            _write_arrays(decode_json(response, None, where))
        case _:
            print_result(converted(response, output))
    _print_times(times)


def print_answer(answer: Answer, output: str, times: Sequence[float]) -> None:
    """Print an answer on stdout; what answered, and the times, go to stderr."""
    from cloudserve.client.payloads.raw import answer_document

    match output:
        case "table" | "github":
            _print_table(answer_document(answer)["predictions"], output)
        case "npy":
            _write_arrays(answer.outputs)
        case _:
            text = json.dumps(answer_document(answer), ensure_ascii=False)
            print_result(converted(text.encode(), output))
    if answer.version:
        print_progress(f"answered by version {answer.version}")
    _print_times(times)


def _print_times(times: Sequence[float]) -> None:
    if len(times) > 1:
        from cloudserve.client.timing import summary

        print_progress(summary(times))


def _print_table(predictions: list[Any], output: str) -> None:
    named = [p if isinstance(p, dict) else {"PREDICTION": p} for p in predictions]
    columns = tuple(dict.fromkeys(name for prediction in named for name in prediction))
    rows = [tuple(_cell(prediction.get(name)) for name in columns) for prediction in named]
    print_report(Report(None, (Table(columns, rows),)), output)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_arrays(outputs: Any) -> None:
    """Write one array as .npy, several as .npz; texts as numpy's own, not as Python objects."""
    from cloudserve.client.payloads.raw import arrays_file

    if sys.stdout.isatty():
        raise UserError(
            "an array is not text, and the output is a terminal",
            hint="write it into a file: -o npy > FILE",
        )
    buffer = io.BytesIO()
    arrays_file(outputs, buffer)
    sys.stdout.buffer.write(buffer.getvalue())
