"""TensorFlow Lite files: their own signatures, and those that TensorFlow Serving makes of them."""

import contextlib
import struct
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError
from cloudserve.modelfiles.flatbuffer import DamagedError
from cloudserve.modelfiles.flexbuffer import read_map
from cloudserve.modelfiles.tflite import read_tflite
from cloudserve.savedmodel import proto
from tests.cloudserve.messages import built
from tests.model_files import tflite_bytes


def types(call):
    inputs = {spec.alias: spec.type for spec in call.signature.inputs}
    return inputs, {spec.alias: spec.type for spec in call.signature.outputs}


def test_own_signatures_have_the_converters_names_and_open_dimensions():
    (call,) = read_tflite(tflite_bytes(), "m").own_calls()
    assert call.signature.name == "serving_default"
    assert types(call) == ({"x": "float32[?]"}, {"y": "float32[?]"})
    assert (call.inputs, call.outputs, call.subgraph) == ((0,), (4,), 0)


def test_tensorflow_serving_names_them_after_the_tensors():
    (call,) = read_tflite(tflite_bytes(), "m").served_calls()
    assert call.signature.name == "serving_default"
    assert types(call) == ({"serving_default_x": "float32[1]"}, {"PartitionedCall": "float32[1]"})
    assert call.signature.inputs[0].tensor_name == "serving_default_x:0"


def test_a_file_without_signatures_has_the_tensors_names_everywhere():
    (call,) = read_tflite(tflite_bytes(name=None), "m").own_calls()
    assert types(call) == ({"serving_default_x": "float32[?]"}, {"PartitionedCall": "float32[?]"})


def test_of_outputs_with_one_name_before_the_colon_tensorflow_serving_keeps_the_last():
    def change(model):
        model.subgraphs[0].tensors[3].name = "PartitionedCall:1"
        model.subgraphs[0].outputs = [3, 4]

    (call,) = read_tflite(tflite_bytes(change), "m").served_calls()
    assert [spec.tensor_name for spec in call.signature.outputs] == ["PartitionedCall:1"]
    assert call.outputs == (3,)


def defined(**definitions):
    """Return a model with an old converter's name of its output, and these definitions."""

    def change(model):
        model.subgraphs[0].tensors[4].name = "PartitionedCall"

    return read_tflite(tflite_bytes(change, definitions=definitions), "m")


def definition(x="serving_default_x:0"):
    fields = {"inputs": {"in": {"name": x}}, "outputs": {"out": {"name": "PartitionedCall:0"}}}
    return built(proto.SignatureDef(), fields).SerializeToString()


def test_definitions_of_the_metadata_are_the_signatures_of_tensorflow_serving():
    calls = defined(first=definition(), second=definition()).served_calls()
    assert [call.signature.name for call in calls] == ["first", "second"]
    assert calls[0].signature.outputs[0].tensor_name == "PartitionedCall"
    assert calls[0].inputs == (0,)
    assert calls[0].outputs == (4,)


def test_a_definition_of_an_unknown_tensor_is_refused_as_by_tensorflow_serving():
    with pytest.raises(ModelError) as caught:
        defined(first=definition("z:0")).served_calls()
    message = "Signature input in references an unknown tensor: Unknown tensor 'z:0'."
    assert caught.value.message == message


def test_tensors_of_one_name_are_refused():
    def change(model):
        model.subgraphs[0].tensors[3].name = "PartitionedCall:0"
        model.subgraphs[0].outputs = [3, 4]

    model = read_tflite(tflite_bytes(change), "m")
    with pytest.raises(ModelError) as caught:
        model.served_calls()
    message = "Output tensor name: PartitionedCall:0 has multiple indices"
    assert caught.value.message == message


def test_a_type_that_no_request_has_is_named():
    model = read_tflite(tflite_bytes(dtype=10), "m")
    with pytest.raises(ModelError, match="serving_default_x:0 is of float64, which requests"):
        model.own_calls()


def test_ops_are_named():
    def change(model):
        model.operatorCodes[1].builtinCode = 32
        model.operatorCodes[1].deprecatedBuiltinCode = 32
        model.operatorCodes[1].customCode = "FlexErf"

    assert read_tflite(tflite_bytes(), "m").ops == ("ADD", "MUL")
    assert read_tflite(tflite_bytes(change), "m").ops == ("FlexErf", "MUL")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"x" * 100, "is not a TensorFlow Lite model: it does not have the mark TFL3"),
        (b"\x1c\0\0\0TFL3", "damaged or truncated: a number at byte 28 of 8"),
        (b"TFL3", "it does not have the mark"),
    ],
)
def test_another_file_is_one_sentence(data, said):
    with pytest.raises(ModelError, match=said):
        read_tflite(data, "m")


def graph(**fields):
    """Return a change of the first subgraph's fields."""

    def change(model):
        for name, value in fields.items():
            setattr(model.subgraphs[0], name, value)

    return change


def product(**fields):
    """Return a change of the first operator, which multiplies."""

    def change(model):
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[0], name, value)

    return change


def of_op(name, least):
    """Return a change of the first operator's op and of its inputs."""

    def change(model):
        from ai_edge_litert.schema_py_generated import BuiltinOperator

        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = getattr(BuiltinOperator, name)
        model.subgraphs[0].operators[0].inputs = least

    return change


def strings(*numbers):
    """Return a change of a constant to strings, whose buffer begins with numbers."""

    def change(model):
        model.subgraphs[0].tensors[1].type = 5
        model.buffers[1].data = list(struct.pack(f"<{len(numbers)}i", *numbers) + b"cat")

    return change


def split(model):
    from ai_edge_litert.schema_py_generated import SplitOptionsT

    of_op("SPLIT", [1, 0])(model)
    options = SplitOptionsT()
    options.numSplits = 7
    operator = model.subgraphs[0].operators[0]
    operator.builtinOptions, operator.builtinOptionsType = options, 35


def int8(*, scale=0.5, zero=0):
    """Return a change of a constant to int8."""

    def change(model):
        from ai_edge_litert.schema_py_generated import QuantizationParametersT

        quantization = QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero]
        tensor = model.subgraphs[0].tensors[1]
        tensor.type, tensor.quantization = 9, quantization

    return change


def answers_inner(model):
    model.signatureDefs[0].outputs[0].tensorIndex = 3


def unfed(model):
    model.signatureDefs[0].inputs = []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (graph(outputs=[-1]), "an output names the tensor -1"),
        (graph(inputs=[9]), "an input names the tensor 9"),
        (graph(operators=[]), "an output reads the tensor 4, which has no value"),
        (product(outputs=[]), r"operator 1 \(ADD\) reads the tensor 3, which has no value"),
        (product(inputs=[0, -1]), r"operator 0 \(MUL\) names the tensor -1"),
        (product(inputs=[0, 4]), r"operator 0 \(MUL\) reads the tensor 4, which has no value"),
        (product(opcodeIndex=5), "operator 0 is of the unknown op 5"),
        (of_op("BATCH_MATMUL", [0]), r"operator 0 \(BATCH_MATMUL\) has 1 input$"),
        (of_op("FULLY_CONNECTED", [0, -1, -1]), "names the tensor -1"),
        (split, r"operator 0 \(SPLIT\) has 1 output$"),
        (strings(), "the tensor 1 has 0 strings in 3 bytes"),
        (strings(2, 16, 17, 18), "the tensor 1 has 2 strings in 19 bytes"),
        (strings(1, 0, 2), "the tensor 1 has strings outside of its 15 bytes"),
        (strings(1, 12, 90), "the tensor 1 has strings outside of its 15 bytes"),
        (int8(zero=300), "the tensor 1 has the zero point 300"),
        (int8(scale=-1), "the tensor 1 has the scale -1"),
        (int8(scale=float("nan")), "the tensor 1 has the scale nan"),
        (answers_inner, "the signature serving_default answers with the inner tensor 3"),
        (unfed, "the signature serving_default lacks the input tensor 0"),
    ],
)
def test_a_graph_that_would_end_the_interpreters_process_is_refused(change, said):
    with pytest.raises(ModelError, match=said):
        read_tflite(tflite_bytes(change), "m").own_calls()


def test_an_absent_bias_and_whole_strings_are_no_damage():
    read_tflite(tflite_bytes(of_op("FULLY_CONNECTED", [0, 1, -1])), "m")
    read_tflite(tflite_bytes(strings(1, 12, 15)), "m")
    read_tflite(tflite_bytes(int8(scale=0)), "m")


cached = cache(tflite_bytes)


def read_all(data):
    try:
        model = read_tflite(data, "m")
        model.own_calls()
        model.served_calls()
    except ModelError as error:
        assert error.hint
        assert "\n" not in error.message


@given(st.integers(0, 2000))
def test_a_truncated_file_is_read_or_refused(size):
    read_all(cached()[:size])


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_refused(changes):
    data = bytearray(cached())
    for place, byte in changes:
        data[place % len(data)] = byte
    read_all(bytes(data))


@given(st.binary(max_size=300))
def test_a_damaged_map_is_read_or_refused(data):
    with contextlib.suppress(DamagedError):
        assert isinstance(read_map(data), dict)


@given(st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="utf-8")), st.binary()))
def test_maps_are_read_as_they_are_written(values):
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in values.items():
            builder.Key(key.encode())
            builder.Blob(value)
    assert read_map(bytes(builder.Finish())) == values
