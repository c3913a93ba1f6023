"""Outputs keep the element type that their signature states, or are refused by name."""

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.codecs.response import encode_columns
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code, StatusError

QUANTIZED = {
    "qint8": (tf.int8, "int8"),
    "quint8": (tf.uint8, "uint8"),
    "qint16": (tf.int16, "int16"),
    "quint16": (tf.uint16, "uint16"),
    "qint32": (tf.int32, "int32"),
}


def answer(x):
    outputs = {
        name: tf.bitcast(tf.cast(x, integer), name) for name, (integer, _) in QUANTIZED.items()
    }
    outputs["variant"] = tf.raw_ops.TensorListReserve(
        element_shape=[1], num_elements=3, element_dtype=tf.float32
    )
    outputs["resource"] = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])
    outputs["double"] = 2 * x
    return outputs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs")
    spec = tf.TensorSpec([None], tf.float32, name="x")
    function = tf.function(answer, input_signature=[spec])
    tf.saved_model.save(tf.Module(), str(path), signatures=function)
    loaded = load_model(path)
    yield loaded
    loaded.close()


def ask(model, *wanted):
    return model.run("serving_default", {"x": np.array([1, 3], np.float32)}, wanted)


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_output_is_sent_as_what_it_is(model, name):
    (tensor,) = ask(model, name).values()
    proto = tf.make_tensor_proto(0.0).__class__()
    to_tensor_proto(tensor, proto)
    assert (tf.dtypes.as_dtype(proto.dtype).name, list(proto.int_val)) == (name, [1, 3])


def test_a_quantized_output_is_no_json_in_tensorflow_servings_words(model):
    with pytest.raises(StatusError) as caught:
        encode_columns(ask(model, "quint8"))
    assert (caught.value.code, caught.value.message) == (
        Code.INVALID_ARGUMENT,
        "Failed to write JSON value for tensor type: quint8",
    )


@pytest.mark.parametrize("name", ["resource", "variant"])
def test_resources_and_variants_are_refused_by_the_outputs_name(model, name):
    with pytest.raises(StatusError) as caught:
        ask(model, name, "double")
    assert (caught.value.code, caught.value.message) == (
        Code.INVALID_ARGUMENT,
        f"The output {name} is a {name}, which cannot be sent in a response",
    )


def test_the_other_outputs_of_the_signature_can_be_asked_for(model):
    assert ask(model, "double")["double"].tolist() == [2, 6]
