"""Predict over gRPC with TensorFlow Serving's own stub: which model answers, and with what."""

import numpy as np
import pytest

from .conftest import X, model_config, refusal, serving

# Which model answers, and what it says of itself.


def test_without_a_version_the_highest_answers_by_its_default_signature(tf, predictions, ask):
    response = predictions.Predict(ask(x=X))
    assert response.model_spec.name == "half"
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [2.5, 3.0, 4.5]
    assert tf.make_ndarray(response.outputs["version"]) == 2


@pytest.mark.parametrize(
    ("which", "version"),
    [({"version": 1}, 1), ({"version": 2}, 2), ({"label": "stable"}, 1), ({"label": "canary"}, 2)],
)
def test_a_version_or_a_label_picks_who_answers_by_number(tf, predictions, ask, which, version):
    response = predictions.Predict(ask(x=X, **which))
    assert tf.make_ndarray(response.outputs["version"]) == version
    assert response.model_spec.version.value == version
    assert response.model_spec.version_label == ""


def test_a_signature_is_answered_with_its_name(tf, predictions, ask):
    response = predictions.Predict(ask(signature="two", a=X, b=X))
    assert response.model_spec.signature_name == "two"
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [2, 4, 10]


def test_an_input_that_the_signature_has_a_default_for_may_be_omitted(tf, predictions, ask):
    for more, expected in (({}, [11, 12, 15]), ({"z": X}, [2, 4, 10])):
        response = predictions.Predict(ask(signature="defaulted", x=X, **more))
        assert tf.make_ndarray(response.outputs["y"]).tolist() == expected


# Outputs.


@pytest.mark.parametrize(
    ("output_filter", "given_back"),
    [((), {"y", "version"}), (("y",), {"y"}), (("version", "y"), {"y", "version"})],
)
def test_the_outputs_asked_for_come_back(predictions, ask, output_filter, given_back):
    response = predictions.Predict(ask(x=X, output_filter=output_filter))
    assert set(response.outputs) == given_back


def test_numbers_come_back_in_their_typed_field(predictions, ask):
    proto = predictions.Predict(ask(x=X)).outputs["y"]
    assert (list(proto.float_val), proto.tensor_content) == ([2.5, 3.0, 4.5], b"")


def test_as_tensor_content_numbers_come_back_as_their_bytes(tf, model_folder, ask):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    configs = model_config(model_folder, "half", "same")
    with serving(configs, tensor_content=True) as served, served.channel() as channel:
        stub = PredictionServiceStub(channel)
        proto = stub.Predict(ask(x=X)).outputs["y"]
        assert (list(proto.float_val), len(proto.tensor_content)) == ([], 12)
        assert tf.make_ndarray(proto).tolist() == [2.5, 3.0, 4.5]
        texts = stub.Predict(ask("same", i=[b"a", b"\xff"])).outputs["o"]
        assert list(texts.string_val) == [b"a", b"\xff"]


DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
    "complex64",
    "complex128",
    "float8_e5m2",
    "float8_e4m3fn",
    "int4",
    "uint4",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_content", [False, True])
def test_every_type_goes_there_and_back(tf, predictions, request_class, dtype, as_content):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    array = np.array([[0, 1], [1, 0], [1, 1]]).astype(tf.dtypes.as_dtype(dtype).as_numpy_dtype)
    proto = tf.make_tensor_proto(array)
    if not as_content:
        proto = TensorProto.FromString(typed(tf, array).SerializeToString())
    request = request_class()
    request.model_spec.name = "same"
    request.inputs["i"].CopyFrom(proto)
    answer = tf.make_ndarray(predictions.Predict(request).outputs["o"])
    assert (answer.dtype, answer.tolist()) == (array.dtype, array.tolist())


def typed(tf, array):
    """Return an array's TensorProto with its values in their field."""
    from tensorflow.python.framework.tensor_util import GetNumpyAppendFn

    proto = tf.make_tensor_proto(array)
    proto.ClearField("tensor_content")
    GetNumpyAppendFn(array.dtype)(proto, array.ravel())
    return proto


def test_one_value_means_a_whole_tensor(predictions, ask):
    request = ask("same", i=np.float32(0))
    proto = request.inputs["i"]
    proto.tensor_shape.dim.add(size=2)
    proto.tensor_shape.dim.add(size=3)
    proto.ClearField("float_val")
    proto.float_val.append(7)
    assert list(predictions.Predict(request).outputs["o"].float_val) == [7] * 6


# Real models.


@pytest.fixture(scope="module")
def real(transport, shared_models):
    """Serve a real model, with the check of method names."""
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    configs = model_config(shared_models, "tfs_half_plus_two_2v", stable=123)
    with serving(configs, check_methods=True) as served, served.channel() as channel:
        yield PredictionServiceStub(channel)


def test_a_real_model_gives_its_known_answers(tf, real, ask):
    name = "tfs_half_plus_two_2v"
    for which, version in (({}, 124), ({"version": 123}, 123), ({"label": "stable"}, 123)):
        response = real.Predict(ask(name, x=X, **which))
        assert tf.make_ndarray(response.outputs["y"]).tolist() == [2.5, 3.0, 4.5]
        assert response.model_spec.version.value == version


@pytest.fixture(scope="module")
def sum_model(tf, tmp_path_factory):
    """Save a model of x + z, whose z is 10 where it is not given; return the folder of models."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = tmp_path_factory.mktemp("saved")
    path = folder / "sum" / "1"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x, z = (tf.compat.v1.placeholder(tf.float32, [None], name) for name in "xz")
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": x, "z": z}, {"y": x + z})
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["z"].CopyFrom(tf.make_tensor_proto(np.float32([10])))
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def test_a_real_models_default_fills_in_what_a_request_leaves_out(tf, sum_model, ask):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    with serving(model_config(sum_model, "sum")) as served, served.channel() as channel:
        response = PredictionServiceStub(channel).Predict(ask("sum", x=X))
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [11, 12, 15]


@pytest.mark.parametrize(
    ("value", "word"),
    [(np.int32([1]), "int32"), ([b"1"], "string"), (np.float64([1]), "double"), ([True], "bool")],
)
def test_a_tensor_of_another_type_is_refused_with_tensorflows_text(real, ask, value, word):
    answer = refusal(real.Predict, ask("tfs_half_plus_two_2v", x=value))
    assert answer == ("INVALID_ARGUMENT", f"Expects arg[0] to be float but {word} is provided")


def test_with_the_check_of_methods_an_init_op_is_not_a_prediction(model_folder, ask):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    configs = model_config(model_folder, "half")
    with serving(configs, check_methods=True) as served, served.channel() as channel:
        stub = PredictionServiceStub(channel)
        assert stub.Predict(ask(x=X)).outputs
        assert refusal(stub.Predict, ask(signature="two", a=X, b=X)) == (
            "INTERNAL",
            (
                "Expected prediction signature method_name to be one of "
                "{tensorflow/serving/predict, tensorflow/serving/classify, "
                "tensorflow/serving/regress}. Was: "
            ),
        )
