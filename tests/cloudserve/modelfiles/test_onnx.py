"""ONNX files: inputs, outputs, operators and files of weights, read without onnxruntime."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError
from cloudserve.modelfiles.onnx import read_onnx
from tests.model_files import onnx_identity, onnx_model

onnx = pytest.importorskip("onnx", reason="pip install onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def read(model):
    return read_onnx(model.SerializeToString(), "m")


def test_inputs_and_outputs_are_one_signature():
    model = read(onnx_model())
    signature = model.signature()
    assert signature.name == "serving_default"
    assert [spec.type for spec in signature.inputs] == ["float32[?]"]
    assert [spec.alias for spec in signature.outputs] == ["y"]
    assert model.ops == ("Add", "Mul")
    assert dict(model.details) == {"IR version": "8", "opset": "ai.onnx 17"}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("FLOAT", "float32"),
        ("DOUBLE", "float64"),
        ("FLOAT16", "float16"),
        ("INT8", "int8"),
        ("UINT64", "uint64"),
        ("BOOL", "bool"),
        ("STRING", "string"),
    ],
)
def test_element_types_have_tensorflows_names(dtype, name):
    assert read(onnx_identity(dtype)).inputs[0].type == f"{name}[?]"


@pytest.mark.parametrize(("dtype", "name"), [("BFLOAT16", "bfloat16"), ("COMPLEX64", "complex64")])
def test_an_element_type_that_arrays_do_not_have_is_named(dtype, name):
    with pytest.raises(ModelError, match=f"the input x is of {name}, which requests"):
        read(onnx_identity(dtype))


def test_dimensions_may_be_named_fixed_or_missing():
    assert read(onnx_identity("FLOAT", ("n", 3, None))).inputs[0].shape == (None, 3, None)
    unranked = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    assert read(onnx_model(inputs=[unranked])).inputs[0].shape is None


def test_an_input_with_an_initializer_is_a_constant():
    half = helper.make_tensor_value_info("half", TensorProto.FLOAT, [])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    model = onnx_model()
    model.graph.input.extend([half])
    assert [spec.alias for spec in read(model).inputs] == ["x"]
    assert x.name == "x"


def test_a_sequence_or_map_is_refused_with_the_export_that_avoids_it():
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    with pytest.raises(ModelError) as caught:
        read(onnx_model(outputs=[sequence]))
    assert caught.value.message == "the output y is a sequence, and requests have tensors only"
    assert "zipmap" in caught.value.hint


def test_operators_of_subgraphs_and_other_domains_are_found():
    branch = helper.make_graph([helper.make_node("Erf", ["x"], ["b"])], "b", [], [])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
        helper.make_node("FusedMatMul", ["x", "x"], ["z"], domain="com.microsoft"),
    ]
    assert read(onnx_model(nodes)).ops == ("Erf", "If", "com.microsoft.FusedMatMul")


def test_files_of_weights_are_named_wherever_the_tensors_are():
    tensors = [numpy_helper.from_array(np.ones(1, "f"), name) for name in "abc"]
    for tensor in tensors:
        onnx.external_data_helper.set_external_data(tensor, f"{tensor.name}.bin")
    branch = helper.make_graph([], "b", [], [], [tensors[0]])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
        helper.make_node("Constant", [], ["z"], value=tensors[1]),
    ]
    model = read(onnx_model(nodes, initializers=[tensors[2]]))
    assert model.external_files == ("a.bin", "b.bin", "c.bin")


@pytest.mark.parametrize("data", [b"x", b"\x08\x08", b"PK\3\4" * 9, b"\xff" * 40])
def test_another_file_is_one_sentence(data):
    with pytest.raises(ModelError, match="the file is not an ONNX model, or is damaged"):
        read_onnx(data, "m")


def test_a_name_that_is_not_utf_8_is_damage():
    data = onnx_model().SerializeToString().replace(b"half", b"ha\xfff")
    with pytest.raises(ModelError, match="damaged or truncated: 'utf-8' codec can't decode"):
        read_onnx(data, "m")


def test_a_name_of_several_lines_is_shown_with_an_escape():
    model = onnx_identity("BFLOAT16")
    model.graph.input[0].name = "a\nb"
    with pytest.raises(ModelError) as caught:
        read(model)
    assert caught.value.message.startswith("the input 'a\\nb' is of bfloat16")


def read_or_refuse(data):
    try:
        read_onnx(data, "m")
    except ModelError as error:
        assert error.hint
        assert "\n" not in error.message


WHOLE = onnx_model(
    initializers=[numpy_helper.from_array(np.ones(4, "f"), "w")],
    nodes=[helper.make_node("Add", ["x", "w"], ["y"])],
).SerializeToString()


@given(st.integers(0, len(WHOLE)))
def test_a_truncated_file_is_read_or_refused(size):
    read_or_refuse(WHOLE[:size])


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_file_is_read_or_refused(changes):
    data = bytearray(WHOLE)
    for place, byte in changes:
        data[place] = byte
    read_or_refuse(bytes(data))
