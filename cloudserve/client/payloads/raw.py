"""JSON requests for transports without JSON: decoded, asked, and answered as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol
from zipfile import ZipFile

from cloudserve.client.answer import Answer
from cloudserve.client.payloads.arrays import storable
from cloudserve.client.payloads.strings import json_text, to_json
from cloudserve.client.transports.channel import Arrays
from cloudserve.errors import RemoteError, UserError


class Predicts(Protocol):
    """A client, as it answers a decoded request."""

    def predict(self, inputs: Any, *, signature: str | None = None) -> Answer:
        """Return the outputs for a batch."""
        ...


def ask_decoded(body: bytes, client: Predicts) -> bytes:
    """Return the JSON answer to a JSON request."""
    inputs, signature = decode_request(body)
    answer = client.predict(inputs, signature=signature or None)
    by_column = "inputs" in json.loads(body)
    document = {"outputs": _columns(answer)} if by_column else {"predictions": answer.predictions}
    return json.dumps(document, default=_json).encode()


def _columns(answer: Answer) -> Any:
    """Return the only output, or an object of all, as TensorFlow Serving answers `inputs`."""
    columns = {name: array.tolist() for name, array in answer.outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def answer_document(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON values: `predictions`, and the version if it is known."""
    predictions = json.loads(json.dumps(answer.predictions, default=_json))
    return {"predictions": predictions, **({"version": answer.version} if answer.version else {})}


def arrays_file(outputs: Arrays, file: BinaryIO) -> None:
    """Write one array as .npy, several as .npz; raises UserError as `storable`."""
    from numpy.lib.format import write_array

    plain = {name: storable(name, array) for name, array in outputs.items()}
    if len(plain) == 1:
        write_array(file, next(iter(plain.values())), allow_pickle=False)
        return
    # numpy.savez cannot write an array that has the name of one of its parameters.
    with ZipFile(file, "w") as archive:
        for name, array in plain.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write_array(member, array, allow_pickle=False)


def decode_request(body: bytes) -> tuple[Any, str]:
    """Return the inputs of a JSON request and its signature; raises UserError for another one."""
    document = json.loads(body, object_hook=_bytes)
    keys = document.keys() & {"instances", "inputs"} if isinstance(document, Mapping) else ()
    if len(keys) != 1:
        raise UserError(
            "the request has neither `instances` nor `inputs`, or both",
            hint='send {"instances": […]}, one entry per prediction',
        )
    return document[next(iter(keys))], str(document.get("signature_name", ""))


def predictions_of(answer: bytes, where: str) -> list[Any]:
    """Return the predictions in a JSON answer; raises RemoteError if there are none."""
    try:
        document = json.loads(json_text(answer))
    except (ValueError, RecursionError):
        document = None
    predictions = document.get("predictions") if isinstance(document, Mapping) else None
    if not isinstance(predictions, list):
        raise RemoteError(
            "the answer has no `predictions`",
            where=where,
            hint="`cloudserve predict --input FILE -o json` prints it unchanged",
        )
    return predictions


def _bytes(value: dict[str, Any]) -> Any:
    if value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except ValueError as error:
            raise UserError(
                f"a `b64` is not base64: {error}", hint="encode the bytes with RFC 4648's alphabet"
            ) from error
    return value


def _json(value: Any) -> Any:
    if isinstance(value, complex):
        raise UserError("JSON has no complex numbers", hint="write the arrays: -o npy > FILE")
    return to_json(value)
