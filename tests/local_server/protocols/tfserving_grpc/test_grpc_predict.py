"""Predict over gRPC with TensorFlow Serving's own stub: answers, and each refusal's exact text."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import model_config, refusal, serving

METHOD = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def tf():
    from cloudserve.local_server.runtime.tensorflow import import_tensorflow

    return import_tensorflow()


@pytest.fixture(scope="module")
def request_class():
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    return PredictRequest


@pytest.fixture(scope="module")
def ask(tf, request_class):
    """Make a request of a model's name and its inputs as arrays."""

    def make(name="half", output_filter=(), version=None, label="", signature="", **inputs):
        request = request_class(output_filter=output_filter)
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return request

    return make


X = np.array([1.0, 2.0, 5.0], np.float32)


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


def test_an_input_that_the_signature_has_a_default_for_may_be_left_out(tf, predictions, ask):
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


def test_one_value_stands_for_a_whole_tensor(predictions, ask):
    request = ask("same", i=np.float32(0))
    proto = request.inputs["i"]
    proto.tensor_shape.dim.add(size=2)
    proto.tensor_shape.dim.add(size=3)
    proto.ClearField("float_val")
    proto.float_val.append(7)
    assert list(predictions.Predict(request).outputs["o"].float_val) == [7] * 6


# Refusals.


def with_spec(request, **fields):
    request.ClearField("model_spec")
    for name, value in fields.items():
        setattr(request.model_spec, name, value)
    return request


def test_a_request_without_a_model_spec_is_refused(predictions, ask):
    answer = refusal(predictions.Predict, with_spec(ask(x=X)))
    assert answer == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_a_model_spec_without_a_name_is_refused(predictions, ask):
    answer = refusal(predictions.Predict, with_spec(ask(x=X), signature_name="s"))
    assert answer == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


REFUSALS = [
    (
        {"name": "none", "x": X},
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        {"version": 9, "x": X},
        ("NOT_FOUND", "Servable not found for request: Specific(half, 9)"),
    ),
    (
        {"label": "beta", "x": X},
        ("INVALID_ARGUMENT", "Unrecognized servable version label: beta"),
    ),
    (
        {"signature": "s", "x": X},
        ("FAILED_PRECONDITION", 'Serving signature key "s" not found.'),
    ),
    (
        {"b": X, "a": X},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 2!=1 len({a,b}) != len({x}). "
                "Sent extra: {a,b}. Missing but required: {x}."
            ),
        ),
    ),
    (
        {},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 0!=1 len({}) != len({x}). "
                "Sent extra: {}. Missing but required: {x}."
            ),
        ),
    ),
    (
        {"signature": "two", "a": X},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
                "Sent extra: {}. Missing but required: {b}."
            ),
        ),
    ),
    (
        {"k1": X},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {k1}, or default input "
                "alias set: "
            ),
        ),
    ),
    (
        {"x": X, "output_filter": ("z",)},
        (
            "INVALID_ARGUMENT",
            (
                "output tensor alias not found in signature: z "
                "Outputs expected to be in the set {version,y}."
            ),
        ),
    ),
    (
        {"x": X, "output_filter": ("y", "y")},
        ("INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    ),
    (
        {"k1": X, "output_filter": ("z",)},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {k1}, or default input "
                "alias set: "
            ),
        ),
    ),
    (
        {"signature": "defaulted", "z": X},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {z}, or default input "
                "alias set: z"
            ),
        ),
    ),
    (
        {"signature": "defaulted", "x": X, "q": X},
        (
            "INVALID_ARGUMENT",
            "Inputs contains invalid name. Used request inputs: x, request input: q,x",
        ),
    ),
    (
        {"signature": "broken", "x": X},
        ("RESOURCE_EXHAUSTED", "no room"),
    ),
]


@pytest.mark.parametrize(("asked", "answer"), REFUSALS)
def test_what_cannot_be_predicted_is_refused_in_tensorflow_servings_words(
    predictions, ask, asked, answer
):
    assert refusal(predictions.Predict, ask(**asked)) == answer


def float_proto(**fields):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    sizes = fields.pop("sizes", (2,))
    proto = TensorProto(**{"dtype": "DT_FLOAT", **fields})
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "DT_INVALID"},
        {"dtype": "DT_RESOURCE"},
        {"dtype": 999},
        {"tensor_content": b"1234567"},
        {"tensor_content": b"123456789"},
        {"sizes": (-1,), "float_val": [1]},
        {"sizes": (2**62, 4), "float_val": [1]},
        {"sizes": (2**63 - 1, 2**63 - 1, 2**63 - 1), "float_val": [1]},
        {"sizes": (2**40,), "float_val": [1]},
        {"dtype": "DT_STRING", "tensor_content": b"\5ab"},
        {"dtype": "DT_COMPLEX64", "scomplex_val": [1, 2, 3]},
    ],
)
def test_a_tensor_that_is_none_is_refused_by_its_name(predictions, ask, fields):
    request = ask("same")
    request.inputs["i"].CopyFrom(float_proto(**fields))
    answer = refusal(predictions.Predict, request)
    assert answer == ("INVALID_ARGUMENT", "tensor parsing error: i")


def test_bytes_that_are_no_request_are_refused_and_the_next_request_is_answered(
    channel, predictions, ask
):
    call = channel.unary_unary(METHOD)
    code, text = refusal(call, b"\n\xff\xff")
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("the request is not a tensorflow.serving.PredictRequest: ")
    cut = ask(x=X).SerializeToString()[:-5]
    assert refusal(call, cut)[0] == "INVALID_ARGUMENT"
    assert predictions.Predict(ask(x=X)).outputs


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_changed_in_a_request_is_answered_or_the_clients_fault(channel, ask, data):
    body = bytearray(ask(x=X, output_filter=("y",)).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    code = outcome(channel.unary_unary(METHOD), bytes(body))
    assert code in {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}


def outcome(call, body):
    try:
        return refusal(call, body)[0]
    except AssertionError:
        return "OK"


# Real models.


@pytest.fixture(scope="module")
def real(shared_models):
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
def test_a_tensor_of_another_type_is_refused_in_tensorflows_words(real, ask, value, word):
    answer = refusal(real.Predict, ask("tfs_half_plus_two_2v", x=value))
    assert answer == ("INVALID_ARGUMENT", f"Expects arg[0] to be float but {word} is provided")


def test_with_the_check_of_methods_an_init_op_is_no_prediction(model_folder, ask):
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
