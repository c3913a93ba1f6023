"""A payload in the terms of a signature: arrays by input, checked before they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from cloudserve.client.payloads.arrays import UnfitError, described, to_array
from cloudserve.client.transports.channel import Arrays
from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.savedmodel.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class Payload:
    """The inputs of a prediction, checked against their signature."""

    spec: Signature
    inputs: Arrays
    doubt: str = ""
    """What may be wrong with it, for the case that the model refuses it."""

    @property
    def rows(self) -> int:
        """Return the size of the batch; 0 if the inputs have no common open first dimension."""
        if not self.inputs or not all(is_open(s) for s in (*self.spec.inputs, *self.spec.outputs)):
            return 0
        sizes = {len(array) if array.ndim else 0 for array in self.inputs.values()}
        return sizes.pop() if len(sizes) == 1 else 0

    def part(self, begin: int, end: int) -> Payload:
        """Return some of the rows."""
        return Payload(self.spec, {name: a[begin:end] for name, a in self.inputs.items()})


def is_open(spec: TensorSpec) -> bool:
    """Return whether a tensor's first dimension is open: any number of rows."""
    return bool(spec.shape) and spec.shape is not None and spec.shape[0] is None


def choose_signature(signatures: Mapping[str, Signature], name: str, where: str) -> Signature:
    """Return a signature by name, "" for the default one; raises UserError with the names."""
    chosen = signatures.get(name or DEFAULT_SIGNATURE)
    if chosen is None:
        raise UserError(
            f"the model has no signature `{name or DEFAULT_SIGNATURE}`",
            where=where,
            hint=choose_from(sorted(signatures)),
        )
    return chosen


def check_payload(inputs: Any, spec: Signature, where: str) -> Payload:
    """Return a payload for a signature.

    `inputs` is a mapping of columns by input, a list of mappings by input (rows), or the value of
    the only input. Raises UserError, in the terms of the signature, for a payload that the model
    does not take.
    """
    place = f"{where}, signature {spec.name}"
    columns = _columns(inputs, spec, place)
    _check_names(columns, spec, place)
    specs = [each for each in spec.inputs if each.alias in columns]
    tensors = {each.alias: _checked(columns[each.alias], each, place) for each in specs}
    _check_batch(tensors, spec, place)
    doubts = (
        _sentence(_counted(tensors[s.alias]), s)
        for s in specs
        if not _fits(tensors[s.alias].shape, s)
    )
    return Payload(spec, tensors, next(doubts, ""))


def _columns(inputs: Any, spec: Signature, where: str) -> Mapping[str, Any]:
    if isinstance(inputs, Mapping):
        return inputs
    if _is_rows(inputs):
        return _transposed(inputs, where)
    if len(spec.inputs) != 1:
        raise UserError(
            f"the signature has {len(spec.inputs)} inputs, and the payload names none",
            where=where,
            hint=f"give a mapping by input: {_takes(spec)}",
        )
    return {spec.inputs[0].alias: inputs}


def _is_rows(inputs: Any) -> bool:
    if not isinstance(inputs, Sequence) or isinstance(inputs, str | bytes) or not inputs:
        return False
    return isinstance(inputs[0], Mapping)


def _transposed(rows: Sequence[Any], where: str) -> dict[str, list[Any]]:
    """Return the columns of rows that are mappings."""
    names = rows[0].keys()
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or row.keys() != names:
            columns = ", ".join(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
            raise UserError(
                f"row {number} has other inputs than row 0: {columns or 'none'}",
                where=where,
                hint=f"give every row {', '.join(map(str, names))}",
            )
    return {name: [row[name] for row in rows] for name in names}


def _check_names(columns: Mapping[str, Any], spec: Signature, where: str) -> None:
    known = [each.alias for each in spec.inputs]
    unknown = [f"`{name}`" for name in columns if name not in known]
    missing = [f"`{name}`" for name in known if name not in {*columns, *spec.defaults}]
    if unknown:
        are = "is not an input" if len(unknown) == 1 else "are not inputs"
        raise UserError(f"{', '.join(unknown)} {are}", where=where, hint=_takes(spec))
    if missing:
        are = "is missing" if len(missing) == 1 else "are missing"
        raise UserError(f"{', '.join(missing)} {are}", where=where, hint=_takes(spec))


def _takes(spec: Signature) -> str:
    inputs = ", ".join(f"`{each.alias}` {described(each)}" for each in spec.inputs)
    return f"the signature takes {inputs or 'no inputs'}"


def _checked(value: Any, spec: TensorSpec, where: str) -> NDArray[Any]:
    if spec.components:
        raise UserError(
            f"`{spec.alias}` is a tensor of several parts, which requests cannot send",
            where=where,
            hint="export a signature with dense inputs",
        )
    try:
        array = to_array(value, spec)
    except UnfitError as error:
        raise _unfit(str(error), spec, where) from error
    if array.shape[:1] == (0,) and is_open(spec):
        raise UserError("the batch is empty", where=where, hint=_one_row(spec))
    if not (_fits(array.shape, spec) or _is_tolerated(array.shape, spec)):
        raise _unfit(_counted(array), spec, where, _shape_hint(array, spec))
    return array


def _one_row(spec: TensorSpec) -> str:
    return f"send at least one row: `{spec.alias}` takes {described(spec)}"


def _sentence(sent: str, spec: TensorSpec) -> str:
    return f"you sent {sent}; `{spec.alias}` takes {described(spec)}"


def _unfit(sent: str, spec: TensorSpec, where: str, hint: str = "") -> UserError:
    return UserError(
        _sentence(sent, spec),
        where=where,
        hint=hint or "convert the value, or name another signature or input",
    )


def _fits(shape: tuple[int, ...], spec: TensorSpec) -> bool:
    """Return whether a shape fits; models of TensorFlow 1.0 declare `()` for any rank."""
    if not spec.shape:
        return True
    if len(shape) != len(spec.shape):
        return False
    return all(want is None or have == want for have, want in zip(shape, spec.shape, strict=True))


def _is_tolerated(shape: tuple[int, ...], spec: TensorSpec) -> bool:
    """Return whether rows of one value are given without their own brackets.

    TensorFlow Serving does not compare shapes, and its documentation sends `[1.0, 2.0, 5.0]` to
    half_plus_two, which declares `[?,1]`. The model decides.
    """
    inner = (spec.shape or ())[1:]
    return is_open(spec) and len(shape) == 1 and all(size == 1 for size in inner)


def _counted(array: NDArray[Any]) -> str:
    noun = "string" if array.dtype == object else "number"
    if array.ndim == 0:
        return f"a single {noun}"
    if array.ndim == 1:
        return f"{len(array):,} {noun}{'' if len(array) == 1 else 's'}"
    return f"an array of [{','.join(map(str, array.shape))}]"


def _shape_hint(array: NDArray[Any], spec: TensorSpec) -> str:
    inner = (spec.shape or ())[1:]
    if None in inner:
        return "give an array of that shape; ? is any size"
    size = prod(n for n in inner if n is not None)
    if array.shape == inner and is_open(spec):
        return "the batch dimension is missing: send a list with one entry for each prediction"
    if array.size and size and array.size % size == 0:
        rows = array.size // size
        return f"reshape it to ({', '.join(map(str, (rows, *inner)))}{',' if not inner else ''})"
    return f"each prediction takes {size:,} values"


def _check_batch(inputs: Arrays, spec: Signature, where: str) -> None:
    """Refuse inputs with different numbers of rows."""
    sizes = {
        each.alias: len(inputs[each.alias])
        for each in spec.inputs
        if each.alias in inputs and is_open(each)
    }
    if len(set(sizes.values())) > 1 and len(sizes) == len(spec.inputs):
        rows = ", ".join(f"`{name}` {size:,}" for name, size in sizes.items())
        raise UserError(
            f"the inputs have different numbers of rows: {rows}",
            where=where,
            hint="send the same number of rows for every input",
        )
