"""Signatures and tensors: what people and the planner read of them."""

from __future__ import annotations

import dataclasses

import pytest

from cloudserve.errors import UserError
from cloudserve.savedmodel import Signature, TensorSpec, proto, read_saved_model
from cloudserve.savedmodel.signature import read_signature
from tests.cloudserve.messages import built

SIGNATURE = proto.SavedModel().meta_graphs.add().signature_def["serving_default"]
FLOAT, STRING, INT64 = 1, 7, 9


def definition(**fields):
    return built(type(SIGNATURE)(), fields)


def tensor(shape=(), *, dtype=FLOAT, name="x:0"):
    dims = {"dim": [{"size": size} for size in shape]}
    return {"name": name, "dtype": dtype, "tensor_shape": dims}


@pytest.mark.parametrize(
    ("info", "shape", "text"),
    [
        (tensor((-1, 784)), (None, 784), "float32[?,784]"),
        (tensor(()), (), "float32[]"),
        (tensor((0,), dtype=STRING), (0,), "string[0]"),
        ({"dtype": INT64, "tensor_shape": {"unknown_rank": True}}, None, "int64[...]"),
        ({"dtype": INT64}, None, "int64[...]"),
        ({"dtype": 105, "tensor_shape": {}}, (), "int16_ref[]"),
    ],
)
def test_a_tensor_says_its_dtype_and_shape(info, shape, text):
    (spec,) = read_signature("s", definition(inputs={"x": info})).inputs
    assert spec.shape == shape
    assert spec.type == text


def test_a_sparse_tensor_says_the_dtype_of_its_values_and_the_tensors_it_is_made_of():
    sparse = {
        "values_tensor_name": "v:0",
        "indices_tensor_name": "i:0",
        "dense_shape_tensor_name": "s:0",
    }
    info = {"coo_sparse": sparse, "dtype": STRING, "tensor_shape": {"dim": [{"size": -1}]}}
    (spec,) = read_signature("s", definition(inputs={"x": info})).inputs
    assert spec == TensorSpec("x", "", "string", (None,), ("v:0", "i:0", "s:0"))


def test_a_ragged_tensor_says_the_dtype_of_its_values_and_the_tensors_it_is_made_of():
    parts = [tensor((-1,), name="values:0"), tensor((-1,), dtype=INT64, name="row_splits:0")]
    info = {"composite_tensor": {"components": parts}}
    (spec,) = read_signature("s", definition(inputs={"x": info})).inputs
    assert spec == TensorSpec("x", "", "float32", None, ("values:0", "row_splits:0"))


def test_a_composite_tensor_of_composite_tensors_lists_the_innermost_tensors():
    inner = {"composite_tensor": {"components": [tensor(name="a:0"), tensor(name="b:0")]}}
    info = {"composite_tensor": {"components": [inner, tensor(dtype=INT64, name="c:0")]}}
    (spec,) = read_signature("s", definition(inputs={"x": info})).inputs
    assert spec.components == ("a:0", "b:0", "c:0")
    assert spec.dtype == "float32"


def test_inputs_outputs_and_defaults_are_sorted_by_alias():
    read = read_signature(
        "s",
        definition(
            inputs={"b": tensor(), "a": tensor(), "c": tensor()},
            outputs={"z": tensor(), "y": tensor()},
            defaults={"c": {}, "b": {}},
            method_name="tensorflow/serving/predict",
        ),
    )
    assert [spec.alias for spec in read.inputs] == ["a", "b", "c"]
    assert [spec.alias for spec in read.outputs] == ["y", "z"]
    assert read.defaults == ("b", "c")
    assert read.method_name == "tensorflow/serving/predict"


def test_an_input_is_found_by_its_alias():
    read = read_signature("s", definition(inputs={"a": tensor((2,)), "b": tensor()}))
    assert read.input("a").shape == (2,)


def test_an_unknown_input_is_a_user_error_with_the_existing_names():
    read = read_signature("s", definition(inputs={"a": tensor(), "b": tensor()}))
    with pytest.raises(UserError) as raised:
        read.input("image")
    assert raised.value.message == "signature 's' has no input 'image'"
    assert raised.value.hint == "its inputs: a, b"


def test_a_signature_without_inputs_says_so():
    with pytest.raises(UserError) as raised:
        Signature("incr", "tensorflow/serving/predict", (), ()).input("x")
    assert raised.value.hint == "its inputs: none"


def test_a_model_of_tensorflow_1_0_that_states_no_shape_is_not_taken_for_a_scalar_s(shared_models):
    read = read_saved_model(shared_models / "sm_half_plus_three" / "123")
    assert read.signature("serving_default").input("x").type == "float32[...]"


def test_the_types_cannot_be_changed():
    spec = TensorSpec("x", "x:0", "float32", ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.alias = "y"
