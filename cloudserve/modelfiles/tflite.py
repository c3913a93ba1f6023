"""TensorFlow Lite models: signatures, by the file's own names and by TensorFlow Serving's rules.

Sources: tensorflow/lite/schema/schema.fbs;
tensorflow_serving/servables/tensorflow/tflite_session.cc (`TfLiteSession::Create`): it reads the
signature definitions of the metadata `signature_defs_metadata`, which the converter does not write.
Without them it makes one signature of the inputs and outputs of the first subgraph, each named
like its tensor without what follows a colon.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cloudserve.errors import ModelError
from cloudserve.modelfiles.flatbuffer import DamagedError, Table, root
from cloudserve.modelfiles.flexbuffer import read_map
from cloudserve.modelfiles.names import shown
from cloudserve.modelfiles.tflite_graph import check_graph
from cloudserve.modelfiles.tflite_ops import op_names
from cloudserve.modelfiles.tflite_schema import (
    DTYPES,
    OTHER_DTYPES,
    ModelField,
    SignatureField,
    SubGraphField,
    TensorField,
    TensorMapField,
)
from cloudserve.modelfiles.tflite_trust import Trust, read_trust, unchecked
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.signature import PREDICT_METHOD, Signature, TensorSpec, read_signature

DEFAULT_SIGNATURE = "serving_default"
_IDENTIFIER = b"TFL3"
_METADATA = "signature_defs_metadata"
_MOST_SIGNATURES = 256
_HINT = "copy the file again, or convert the model again"


_Ids = dict[str, int]
"""The numbers of tensors by name or alias."""


@dataclass(frozen=True, slots=True)
class LiteCall:
    """A signature, and the tensors of its inputs and outputs in their order."""

    signature: Signature
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraph: int = 0


class LiteModel:
    """A TensorFlow Lite file that has been checked so far as it was read."""

    def __init__(self, model: Table, where: str) -> None:
        self._model = model
        self._where = where
        self._main = model.table(ModelField.SUBGRAPHS, 0)
        self.ops = op_names(model)
        """The distinct ops, sorted; custom ops by their own names."""
        self.keeps_state = any(
            tensor.integer(TensorField.IS_VARIABLE, "B")
            for tensor in self._main.tables(SubGraphField.TENSORS)
        )
        """Whether a tensor of the first subgraph keeps its value from one run to the next."""

    def trust(self, subgraphs: Collection[int]) -> dict[int, Trust]:
        """Return what the kernels of some subgraphs trust of requests.

        Raises ModelError if a request to one of them, or what another one computes, cannot be
        checked.
        """
        with _reported(self._where):
            found = {
                number: read_trust(self._model, number, self._where)
                for number in range(self._model.count(ModelField.SUBGRAPHS))
            }
        for number in found.keys() - set(subgraphs):
            for one in found[number].values:
                raise unchecked(one.op, "values that it computes itself", self._where)
        return {number: found[number] for number in subgraphs}

    def own_calls(self) -> tuple[LiteCall, ...]:
        """Return the signatures by the names that the converter has written, sorted.

        Dimensions that were open when the model was converted are open. Without such signatures
        the result is that of `served_calls`. Raises ModelError.
        """
        with _reported(self._where):
            count = self._model.count(ModelField.SIGNATURES)
            if count > _MOST_SIGNATURES:
                raise DamagedError(f"{count} signatures")
            calls = [self._own(one) for one in self._model.tables(ModelField.SIGNATURES)]
            named = {call.signature.name: call for call in calls}
        own = _with_distinct_names([named[name] for name in sorted(named)])
        return own or self.served_calls(opened=True)

    def served_calls(self, *, opened: bool = False) -> tuple[LiteCall, ...]:
        """Return the signatures that TensorFlow Serving makes of the file. Raises ModelError.

        With `opened`, dimensions that were open when the model was converted are open;
        TensorFlow Serving shows the sizes of the interpreter, which are 1.
        """
        with _reported(self._where):
            inputs = self._named(SubGraphField.INPUTS, "Input")
            outputs = self._named(SubGraphField.OUTPUTS, "Output")
            definitions = self._definitions()
            if not definitions:
                sides = [
                    {_short(name): ids[name] for name in sorted(ids)} for ids in (inputs, outputs)
                ]
                return (self._call(DEFAULT_SIGNATURE, self._main, sides, opened=opened),)
            return tuple(
                self._defined(read_signature(name, definitions[name]), inputs, outputs)
                for name in sorted(definitions)
            )

    def _own(self, definition: Table) -> LiteCall:
        number = definition.integer(SignatureField.SUBGRAPH, "I")
        name = definition.text(SignatureField.KEY)
        sides = [
            {
                one.text(TensorMapField.NAME): one.integer(TensorMapField.TENSOR, "I")
                for one in definition.tables(side)
            }
            for side in (SignatureField.INPUTS, SignatureField.OUTPUTS)
        ]
        subgraph = self._model.table(ModelField.SUBGRAPHS, number)
        _check_sides(subgraph, sides, shown(name))
        call = self._call(name or DEFAULT_SIGNATURE, subgraph, sides, opened=True)
        return replace(call, subgraph=number)

    def _call(self, name: str, subgraph: Table, sides: list[_Ids], *, opened: bool) -> LiteCall:
        """Make a call of tensors by alias."""
        inputs, outputs = (
            tuple(self._spec(subgraph, ids[alias], alias, opened=opened) for alias in sorted(ids))
            for ids in sides
        )
        return _lite_call(Signature(name, PREDICT_METHOD, inputs, outputs), *sides)

    def _defined(self, signature: Signature, inputs: _Ids, outputs: _Ids) -> LiteCall:
        known = (signature.inputs, inputs, "input"), (signature.outputs, outputs, "output")
        specs = [
            tuple(self._corrected(spec, ids, word) for spec in side) for side, ids, word in known
        ]
        sides = [
            {spec.alias: ids[spec.tensor_name] for spec in side}
            for side, ids in zip(specs, (inputs, outputs), strict=True)
        ]
        return _lite_call(replace(signature, inputs=specs[0], outputs=specs[1]), *sides)

    def _corrected(self, spec: TensorSpec, known: _Ids, word: str) -> TensorSpec:
        """Return a tensor of a definition with the name and the type that it has in the file."""
        for name in (spec.tensor_name, _short(spec.tensor_name)):
            if name in known:
                actual = self._spec(self._main, known[name], spec.alias, opened=False)
                return replace(spec, tensor_name=name, dtype=actual.dtype)
        raise ModelError(
            f"Signature {word} {shown(spec.alias)} references an unknown tensor: "
            f"Unknown tensor '{shown(spec.tensor_name)}'.",
            where=self._where,
            hint="write the signature definitions again, with the tensors of this model",
        )

    def _named(self, side: int, word: str) -> _Ids:
        """Return the inputs or outputs of the first subgraph by the names of their tensors."""
        ids: _Ids = {}
        for number in self._main.integers(side) or ():
            name = self._main.table(SubGraphField.TENSORS, number).text(TensorField.NAME)
            if name in ids:
                raise ModelError(
                    f"{word} tensor name: {shown(name)} has multiple indices",
                    where=self._where,
                    hint="convert the model again, with distinct names",
                )
            ids[name] = number
        return ids

    def _definitions(self) -> dict[str, proto.Message]:
        for entry in self._model.tables(ModelField.METADATA):
            if entry.text(0) == _METADATA:
                buffer = self._model.table(ModelField.BUFFERS, entry.integer(1, "I"))
                packed = read_map(buffer.data(0))
                return {key: proto.parse(proto.SignatureDef, packed[key]) for key in packed}
        return {}

    def _spec(self, subgraph: Table, number: int, alias: str, *, opened: bool) -> TensorSpec:
        tensor = subgraph.table(SubGraphField.TENSORS, number)
        name = tensor.text(TensorField.NAME)
        kind = tensor.integer(TensorField.TYPE, "b")
        if kind not in DTYPES:
            word = OTHER_DTYPES.get(kind, f"type {kind}")
            raise ModelError(
                f"the tensor {shown(name)} is of {word}, which requests cannot have",
                where=self._where,
                hint="convert the model with float32 or integer inputs and outputs",
            )
        sizes = tensor.integers(TensorField.SHAPE) or ()
        if opened:
            sizes = tensor.integers(TensorField.SHAPE_SIGNATURE) or sizes
        shape = tuple(None if size < 0 else size for size in sizes)
        return TensorSpec(alias, name, DTYPES[kind], shape)


def _check_sides(subgraph: Table, sides: Sequence[_Ids], name: str) -> None:
    """Check that a signature feeds each input, and answers with outputs.

    The values of other tensors are those of no request, or no longer kept after a run.
    """
    inputs, outputs = (
        set(subgraph.integers(side) or ()) for side in (SubGraphField.INPUTS, SubGraphField.OUTPUTS)
    )
    if unfed := inputs.difference(sides[0].values()):
        raise DamagedError(f"the signature {name} lacks the input tensor {min(unfed)}")
    if others := set(sides[1].values()).difference(outputs):
        raise DamagedError(f"the signature {name} answers with the inner tensor {min(others)}")


def _with_distinct_names(calls: Sequence[LiteCall]) -> tuple[LiteCall, ...]:
    """Give tensors of one name, in one subgraph or in several, names with their numbers.

    The server tells tensors by their names, and a converter or a stripped file may have several of
    one.
    """
    owners: dict[str, set[tuple[int, int]]] = {}
    for call in calls:
        for spec, number in _tensors(call):
            owners.setdefault(spec.tensor_name, set()).add((call.subgraph, number))
    shared = {name for name, found in owners.items() if len(found) > 1}
    return tuple(_renamed(call, shared) if shared else call for call in calls)


def _tensors(call: LiteCall) -> Iterator[tuple[TensorSpec, int]]:
    yield from zip(call.signature.inputs, call.inputs, strict=True)
    yield from zip(call.signature.outputs, call.outputs, strict=True)


def _renamed(call: LiteCall, shared: Container[str]) -> LiteCall:
    def renamed(specs: Sequence[TensorSpec], numbers: Sequence[int]) -> tuple[TensorSpec, ...]:
        return tuple(
            replace(spec, tensor_name=f"{spec.tensor_name}#{call.subgraph}.{number}")
            if spec.tensor_name in shared
            else spec
            for spec, number in zip(specs, numbers, strict=True)
        )

    one = call.signature
    inputs, outputs = renamed(one.inputs, call.inputs), renamed(one.outputs, call.outputs)
    return replace(call, signature=replace(one, inputs=inputs, outputs=outputs))


def _lite_call(signature: Signature, inputs: _Ids, outputs: _Ids) -> LiteCall:
    return LiteCall(
        signature,
        tuple(inputs[spec.alias] for spec in signature.inputs),
        tuple(outputs[spec.alias] for spec in signature.outputs),
    )


def read_tflite(data: bytes, where: str) -> LiteModel:
    """Read a TensorFlow Lite file. Raises ModelError if it is damaged, or of another kind."""
    with _reported(where):
        if data[4:8] != _IDENTIFIER:
            raise ModelError(
                "the file is not a TensorFlow Lite model: it does not have the mark TFL3",
                where=where,
                hint=_HINT,
            )
        model = root(data)
        check_graph(model)
        return LiteModel(model, where)


@contextmanager
def _reported(where: str) -> Iterator[None]:
    """Report damage in one sentence."""
    try:
        yield
    except (DamagedError, proto.DecodeError) as error:
        raise ModelError(
            f"the TensorFlow Lite file is damaged or truncated: {error}", where=where, hint=_HINT
        ) from error


def _short(name: str) -> str:
    return name.partition(":")[0]
