"""What is fed, of every type, and what is wrong with it; the same through both loaders."""

from shutil import copytree

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.runtime.config import read_config
from cloudserve.local_server.runtime.eager import load_eagerly
from cloudserve.local_server.runtime.loading.restore import restore
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model, session_loader
from cloudserve.local_server.status import Code, StatusError
from tensorflow.core.protobuf import saved_model_pb2

FLOATS = ("float16", "bfloat16", "float32", "float64", "float8_e5m2", "float8_e4m3fn")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool", "complex64", "complex128", "string")


class Signatures(tf.Module):
    """A function that gives back what it takes for each type, and some that refuse."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.ones((3, 2), np.float32))
        self.functions = {dtype: self._same(dtype) for dtype in DTYPES}

    @staticmethod
    def _same(dtype):
        spec = tf.TensorSpec(None, tf.dtypes.as_dtype(dtype), name="x")
        return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec])

    @tf.function(input_signature=[tf.TensorSpec(None, name="a"), tf.TensorSpec(None, name="b")])
    def product(self, a, b):
        return {"y": tf.matmul(a, self.weights) * b, "rank": tf.rank(a)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, name="text")])
    def numbers(self, text):
        return {"number": tf.strings.to_number(text)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("signatures") / "1"
    module = Signatures()
    named = {**module.functions, "product": module.product, "numbers": module.numbers}
    tf.saved_model.save(module, str(path), signatures=named)
    return path


@pytest.fixture(scope="module", params=["session", "eager"])
def model(request, path):
    if request.param == "session":
        model = load_model(path)
    else:
        restored = restore(path, ("serve",), read_config(SessionOptions()))
        restored.session.close()
        model = load_eagerly(tf, path, ("serve",), restored)
    yield model
    model.close()


def refusal(model, signature, **inputs):
    with pytest.raises(StatusError) as caught:
        model.run(signature, inputs)
    return caught.value.code, caught.value.message


def values_of(dtype):
    if dtype == "string":
        values = np.empty((2, 2), object)
        values[:] = [[b"a", b"\xff\x00"], [b"", b"long" * 1000]]
        return values
    return np.array([[0, 1], [1, 0]]).astype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)


@pytest.mark.parametrize("is_eager", [False, True])
def test_each_run_that_succeeds_is_reported_with_its_time(path, is_eager):
    times = []
    if is_eager:
        restored = restore(path, ("serve",), read_config(SessionOptions()))
        restored.session.close()
        model = load_eagerly(tf, path, ("serve",), restored, times.append)
    else:
        model = session_loader(ran=times.append)(path)
    model.run("numbers", {"text": np.array(b"1", object)})
    refusal(model, "numbers", text=np.array(b"one", object))
    model.close()
    (seconds,) = times
    assert seconds > 0


def test_only_the_outputs_that_are_requested_come_back(model):
    inputs = {"a": np.ones((1, 3), np.float32), "b": np.float32(2)}
    assert model.run("product", inputs, ("rank",)) == {"rank": 2}
    answer = model.run("product", inputs, ("y",))
    assert {alias: array.tolist() for alias, array in answer.items()} == {"y": [[6, 6]]}
    assert set(model.run("product", inputs)) == {"y", "rank"}


def test_nodes_that_only_other_outputs_need_are_not_computed(tmp_path):
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        text = v1.placeholder(tf.string, name="text")
        outputs = {"same": tf.identity(text), "number": tf.strings.to_number(text)}
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"text": text}, outputs)
    model = load_model(tmp_path / "1")
    words = np.array([b"no number"], object)
    assert refusal(model, "serving_default", text=words)[0] is Code.INVALID_ARGUMENT
    assert model.run("serving_default", {"text": words}, ("same",))["same"].tolist() == [*words]
    model.close()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_comes_back_as_it_went_in(model, dtype):
    values = values_of(dtype)
    for value in (values, values[0], values[0, 0:1].reshape(()), values[:0], values.T):
        got = model.run(dtype, {"x": value})["y"]
        assert (got.dtype, got.shape) == (value.dtype, value.shape)
        assert got.tolist() == value.tolist()


def test_strings_may_be_of_a_fixed_width(model):
    got = model.run("string", {"x": np.array([b"a", b"bc"])})["y"]
    assert got.tolist() == [b"a", b"bc"]


def test_scalars_come_back_as_arrays(model):
    feeds = {"a": np.ones((1, 3), np.float32), "b": np.array(2, np.float32)}
    outputs = model.run("product", feeds)
    assert outputs["y"].tolist() == [[6.0, 6.0]]
    assert (outputs["rank"].shape, outputs["rank"].item()) == ((), 2)


# What is wrong.


@pytest.mark.parametrize("dtype", ["float64", "int32", "float16", "string"])
def test_another_type_is_refused_in_tensorflow_servings_words(model, dtype):
    word = {"float64": "double", "float16": "half"}.get(dtype, dtype)
    a = np.ones((1, 3), np.float32)
    assert refusal(model, "product", a=a, b=values_of(dtype)) == (
        Code.INVALID_ARGUMENT,
        f"Expects arg[1] to be float but {word} is provided",
    )


def test_another_rank_is_the_ops_to_refuse(model):
    a, b = np.ones(3, np.float32), np.float32(1)
    code, message = refusal(model, "product", a=a, b=np.asarray(b))
    assert code is Code.INVALID_ARGUMENT
    assert "In[0]" in message
    code, message = refusal(model, "product", a=np.ones((1, 4), np.float32), b=np.asarray(b))
    assert code is Code.INVALID_ARGUMENT
    assert "Matrix size-incompatible: In[0]: [1,4], In[1]: [3,2]" in message


@pytest.mark.parametrize("missing", ["a", "b"])
def test_an_input_that_is_missing_is_reported_as_tensorflow_tells_it(model, missing):
    inputs = {"a": np.ones((1, 3), np.float32), "b": np.ones((), np.float32)}
    del inputs[missing]
    code, message = refusal(model, "product", **inputs)
    assert code is Code.INVALID_ARGUMENT
    assert message.partition("\n")[0] == (
        f"You must feed a value for placeholder tensor 'product_{missing}' with dtype float"
    )


def test_an_input_that_the_signature_does_not_have_is_ignored(model):
    outputs = model.run("string", {"x": np.array([b"a"]), "y": np.ones(3)})
    assert outputs["y"].tolist() == [b"a"]


def test_an_ops_error_is_the_requests(model):
    code, message = refusal(model, "numbers", text=np.array([b"one"]))
    assert code is Code.INVALID_ARGUMENT
    assert "StringToNumberOp could not correctly convert string: one" in message


def test_an_object_that_is_no_string_is_refused(model):
    for odd in (None, 3.5, object(), [b"a"]):
        values = np.empty(1, object)
        values[0] = odd
        code, _ = refusal(model, "string", x=values)
        assert code is Code.INVALID_ARGUMENT


# Defaults.


@pytest.fixture(scope="module")
def with_default(path, tmp_path_factory):
    """Give the model with a default for `b`, as `SignatureDef.defaults` writes it."""
    changed = copytree(path, tmp_path_factory.mktemp("default") / "1")
    file = changed / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    defaults = saved.meta_graphs[0].signature_def["product"].defaults
    defaults["b"].CopyFrom(tf.make_tensor_proto(np.float32(10)))
    file.write_bytes(saved.SerializeToString())
    return load_model(changed)


def test_an_input_with_a_default_may_be_omitted(with_default):
    a = np.ones((1, 3), np.float32)
    assert with_default.run("product", {"a": a})["y"].tolist() == [[30.0, 30.0]]
    fields = {"a": a, "b": np.array(2, np.float32)}
    assert with_default.run("product", fields)["y"].tolist() == [[6.0, 6.0]]
    code, _ = refusal(with_default, "product", b=np.array(2, np.float32))
    assert code is Code.INVALID_ARGUMENT
    with_default.close()
