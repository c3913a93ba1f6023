"""One run: the model is loaded as TensorFlow Serving loads it, asked once, and closed."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.local.model_run import RunRequest, RunResult
from cloudserve.outputs import check_outside_models
from cloudserve.savedmodel import Signature

from ..codecs.request import parse_request
from ..codecs.response import encode_columns, encode_rows
from ..runtime.model_files import load_any
from ..runtime.types import DEFAULT_SIGNATURE, LoadedModel, Tensor
from ..status import StatusError
from .inputs import read_inputs
from .outputs import check_absent, describe, output_paths, save


def run_model(folder: Path, request: RunRequest) -> RunResult:
    """Run a signature of the SavedModel in a directory, or of a model file, once.

    Raises ModelError if it does not load, UserError for inputs that do not fit, and with
    TensorFlow's own words for those that it refuses.
    """
    began = time.perf_counter()
    with closing(load_any(folder, request.tags)) as model:
        loaded = time.perf_counter()
        try:
            return _run(model, request, loaded - began)
        except StatusError as error:
            raise UserError(
                f"the model refused the inputs: {error}",
                where=str(folder),
                hint=f"compare them with `cloudserve inspect {folder}`",
            ) from error


def _run(model: LoadedModel, request: RunRequest, load_seconds: float) -> RunResult:
    signature, inputs, by_row = _read(model, request)
    _check_complete(signature, inputs)
    if request.outdir:
        check_outside_models(request.outdir / "output.npy", "an output")
        aliases = [spec.alias for spec in signature.outputs]
        check_absent(output_paths(aliases, request.outdir), overwrite=request.overwrite)
    began = time.perf_counter()
    outputs = model.run(signature.name, inputs)
    seconds = time.perf_counter() - began
    answer = encode_rows(outputs) if by_row else encode_columns(outputs)
    files = save(outputs, request.outdir) if request.outdir else ()
    return RunResult(signature.name, describe(outputs), load_seconds, seconds, answer, files)


def _read(model: LoadedModel, request: RunRequest) -> tuple[Signature, dict[str, Tensor], bool]:
    """Return the signature, its inputs, and whether the answer is one of rows."""
    if request.body is None:
        signature = _signature(model, request.signature)
        return signature, read_inputs(request.inputs, signature), False
    parsed = parse_request(request.body)
    signature = _signature(model, request.signature or parsed.signature_name)
    return signature, parsed.decode(signature), parsed.by_row


def _signature(model: LoadedModel, name: str) -> Signature:
    names = sorted(model.signatures)
    chosen = name or (DEFAULT_SIGNATURE if len(names) != 1 else names[0])
    if chosen not in model.signatures:
        text = f"there is no signature {chosen}" if names else "the model has no signature"
        raise UserError(text, hint=choose_from(names) if names else "export it with one")
    return model.signatures[chosen]


def _check_complete(signature: Signature, inputs: dict[str, Tensor]) -> None:
    optional = set(signature.defaults)
    missing = [one for one in signature.inputs if one.alias not in {*inputs, *optional}]
    if missing:
        raise UserError(
            f"signature {signature.name} needs {', '.join(one.alias for one in missing)}",
            hint=f"give --input {missing[0].alias}=VALUE, of {missing[0].type}",
        )
