"""Requests that end the process of TensorFlow Lite's interpreter are refused before they do."""

import numpy as np
import pytest
from cloudserve.local_server.runtime.lite.model import load_lite
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.modelfiles.files import find_model_file
from tests.model_files import tflite_bytes, write

schema = pytest.importorskip(
    "ai_edge_litert.schema_py_generated", reason="pip install 'cloudserve[tflite]'"
)
INT, FLOAT, LEAST = np.int32, np.float32, -(2**31)
TYPES = {INT: 2, FLOAT: 0}
ROWS = np.float32([[1, 2, 3, 4], [5, 6, 7, 8]])


def made(kind, **values):
    made_object = getattr(schema, f"{kind}T")()
    for key, value in values.items():
        setattr(made_object, key, value)
    return made_object


def one_op(op, inputs, *, options=None, constants=(), computed=None, result=FLOAT):
    """Return a model of one op, whose inputs are `(dtype, shape)`; -1 is an open size.

    `constants` are values of inputs by position. The input at `computed` is the double of the
    model's input.
    """

    def change(model):
        codes = [getattr(schema.BuiltinOperator, op), schema.BuiltinOperator.ADD]
        model.operatorCodes = [
            made("OperatorCode", builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=1)
            for code in codes
        ]
        tensors = [tensor(f"in{n}", *one) for n, one in enumerate(inputs)]
        feeds, operators = list(range(len(inputs))), []
        for number, value in dict(constants).items():
            model.buffers.append(made("Buffer", data=list(np.asarray(value).tobytes())))
            tensors[number].buffer = len(model.buffers) - 1
            feeds.remove(number)
        given = list(range(len(inputs)))
        if computed is not None:
            tensors.append(tensor("double", *inputs[computed]))
            double = len(tensors) - 1
            add = made("Operator", opcodeIndex=1, inputs=[computed] * 2, outputs=[double])
            add.builtinOptionsType, add.builtinOptions = (
                schema.BuiltinOptions.AddOptions,
                made("AddOptions"),
            )
            operators.append(add)
            given[computed] = double
        tensors.append(tensor("out", result, (1,)))
        last = made("Operator", opcodeIndex=0, inputs=given, outputs=[len(tensors) - 1])
        if options:
            kind, values = options
            last.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            last.builtinOptions = made(kind, **values)
        graph = model.subgraphs[0]
        graph.tensors, graph.operators = tensors, [*operators, last]
        graph.inputs, graph.outputs = feeds, [len(tensors) - 1]

    return tflite_bytes(change, name=None)


def tensor(name, dtype, shape):
    sizes = [max(size, 1) for size in shape]
    return made(
        "Tensor",
        name=name,
        type=TYPES[dtype],
        shape=sizes,
        shapeSignature=list(shape),
        buffer=0,
    )


REVERSED = ("ReverseSequenceOptions", {"seqDim": 1, "batchDim": 0})
SEQUENCES = [(FLOAT, (-1, 4)), (INT, (-1,))]
MODELS = {
    "lengths": one_op("REVERSE_SEQUENCE", SEQUENCES, options=REVERSED),
    "constant lengths": one_op(
        "REVERSE_SEQUENCE",
        [(FLOAT, (-1, -1)), (INT, (2,))],
        options=REVERSED,
        constants={1: INT([2, 4])}.items(),
    ),
    "computed sequences": one_op("REVERSE_SEQUENCE", SEQUENCES, options=REVERSED, computed=0),
    "sizes": one_op("RANDOM_STANDARD_NORMAL", [(INT, (2,))], options=("RandomOptions", {})),
    "divisors": one_op("FLOOR_MOD", [(INT, (-1,)), (INT, (-1,))], result=INT),
    "axis": one_op("REVERSE_V2", [(FLOAT, (2, 4)), (INT, (1,))]),
    "picture": one_op(
        "RESIZE_BILINEAR",
        [(FLOAT, (-1, -1, -1, 1)), (INT, (2,))],
        options=("ResizeBilinearOptions", {}),
    ),
    "classes": one_op("LOG_SOFTMAX", [(FLOAT, (-1, -1))]),
    "diagonal": one_op("MATRIX_SET_DIAG", [(FLOAT, (3, 3)), (FLOAT, (3,))]),
}
ANSWERED = {
    "lengths": (ROWS, INT([2, 4])),
    "constant lengths": (ROWS,),
    "sizes": (INT([2, 3]),),
    "computed sequences": (ROWS, INT([2, 4])),
    "divisors": (INT([7, LEAST]), INT([4, 3])),
    "axis": (ROWS, INT([0])),
    "picture": (np.ones((1, 2, 2, 1), FLOAT), INT([4, 4])),
    "classes": (ROWS,),
    "diagonal": (np.ones((3, 3), FLOAT), FLOAT([1, 2, 3])),
}
REFUSED = {
    "a length above the sequence's": ("lengths", ROWS, INT([2, 2**30])),
    "a negative length": ("lengths", ROWS, INT([-1, 2])),
    "fewer lengths than sequences": ("lengths", ROWS, INT([1])),
    "sequences without a length's dimension": ("lengths", ROWS[0], INT([1])),
    "computed sequences shorter than the model's": ("computed sequences", ROWS[:, :1], INT([1, 4])),
    "no sequence": ("lengths", ROWS[:0], INT([])),
    "sequences shorter than the constant length": ("constant lengths", ROWS[:, :3]),
    "more sequences than constant lengths": ("constant lengths", ROWS[[0, 1, 1]]),
    "a negative size": ("sizes", INT([-1, 100])),
    "sizes that overflow": ("sizes", INT([2**16, 2**16])),
    "the smallest integer by -1": ("divisors", INT([LEAST]), INT([-1])),
    "no axis": ("axis", ROWS, INT([])),
    "a picture without rows": ("picture", np.ones((1, 0, 4, 1), FLOAT), INT([2, 2])),
    "no class": ("classes", np.ones((2, 0), FLOAT)),
    "a diagonal of another size": ("diagonal", np.ones((3, 3), FLOAT), FLOAT([1])),
}


@pytest.fixture
def load(tmp_path):
    def make(data):
        return load_lite(find_model_file(write(tmp_path / "model.tflite", data)), interpreters=1)

    return make


def ask(model, arrays):
    aliases = [spec.alias for spec in model.signatures["serving_default"].inputs]
    return model.run("serving_default", dict(zip(aliases, arrays, strict=True)))["out"]


@pytest.mark.parametrize("name", ANSWERED)
def test_sound_requests_are_answered(load, name):
    assert ask(load(MODELS[name]), ANSWERED[name]).size


def test_only_the_smallest_integer_is_not_divided_by_minus_1(load):
    assert ask(load(MODELS["divisors"]), (INT([5, 7]), INT([-1, 4]))).tolist() == [0, 3]


def test_sequences_are_reversed_to_their_lengths(load):
    for name in ("lengths", "constant lengths"):
        answer = ask(load(MODELS[name]), ANSWERED[name])
        assert answer.tolist() == [[2, 1, 3, 4], [8, 7, 6, 5]]


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_a_kernel_would_end_the_process_for_is_invalid(load, name):
    model, *arrays = REFUSED[name]
    loaded = load(MODELS[model])
    with pytest.raises(StatusError, match="The model cannot run the request") as caught:
        ask(loaded, arrays)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert ask(loaded, ANSWERED[model]).size  # the next one is answered


@pytest.mark.parametrize(
    ("op", "inputs", "computed"),
    [
        ("RANDOM_UNIFORM", [(INT, (2,))], 0),
        ("REVERSE_SEQUENCE", SEQUENCES, 1),
        ("REVERSE_SEQUENCE", [(FLOAT, (-1, -1)), (INT, (-1,))], 0),
    ],
)
def test_a_model_whose_requests_cannot_be_checked_does_not_load(load, op, inputs, computed):
    options = ("RandomOptions", {}) if op == "RANDOM_UNIFORM" else REVERSED
    with pytest.raises(LoadError, match=rf"the model gives its op {op} .* it computes itself"):
        load(one_op(op, inputs, options=options, computed=computed))
