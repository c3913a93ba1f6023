"""Warm-up records made of JSON requests, as a server's request log would store them.

Source: tensorflow_serving/apis/prediction_log.proto; docs "SavedModel Warmup".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.savedmodel import SavedModel, read_saved_model

from ..codecs.examples import parse_examples
from ..codecs.request import parse_request
from ..codecs.tensor_proto import to_tensor_proto
from ..codecs.tfrecord import frame
from ..messages import message_class
from ..runtime.types import DEFAULT_SIGNATURE
from ..status import StatusError
from ..transport.grpc_types import Message
from .replay import MOST_RECORDS


def warmup_file(requests: Iterable[tuple[str, bytes, str]], folder: Path) -> bytes:
    """Return a TFRecord file of `PredictionLog`s for the model in a directory.

    `requests` are bodies of requests, each with the place that an error names and its method, ""
    for predict. Raises UserError for a request that does not fit the model's signature, and for
    more than 1000.
    """
    model = read_saved_model(folder)
    records = [frame(_record(model, body, where, method)) for where, body, method in requests]
    if len(records) > MOST_RECORDS:
        raise UserError(
            f"{len(records):,} requests are too many: a server runs at most {MOST_RECORDS:,}",
            where=str(folder),
            hint=f"keep some of them with `cloudserve golden trim FILE --most {MOST_RECORDS}`",
        )
    return b"".join(records)


def _record(model: SavedModel, body: bytes, where: str, method: str) -> bytes:
    """Return a serialized `PredictionLog`, whose request names no version."""
    log = message_class("tensorflow.serving.PredictionLog")()
    try:
        if method:
            request = log.classify_log.request if method == "classify" else log.regress_log.request
            _write_examples(request, model, body)
        else:
            _write_tensors(log.predict_log.request, model, body)
    except (StatusError, UserError) as error:
        raise UserError(
            f"the request does not fit the model: {error}",
            where=where,
            hint=f"compare it with `cloudserve inspect {model.path}`",
        ) from error
    serialized: bytes = log.SerializeToString()
    return serialized


def _write_tensors(request: Message, model: SavedModel, body: bytes) -> None:
    parsed = parse_request(body)
    name = parsed.signature_name or DEFAULT_SIGNATURE
    tensors = parsed.decode(model.signature(name))
    _write_spec(request, model, name)
    for alias, array in tensors.items():
        to_tensor_proto(array, request.inputs[alias], as_content=True)


def _write_examples(request: Message, model: SavedModel, body: bytes) -> None:
    parsed = parse_examples(body)
    name = parsed.signature_name or DEFAULT_SIGNATURE
    model.signature(name)  # raises UserError if there is none
    _write_spec(request, model, name)
    for example in parsed.examples:
        request.input.example_list.examples.add().ParseFromString(example)


def _write_spec(request: Message, model: SavedModel, name: str) -> None:
    request.model_spec.name, request.model_spec.signature_name = model.path.parent.name, name
