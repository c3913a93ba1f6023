"""Real SavedModels, written by TensorFlow 1.0 to 2.21, give their known answers over both APIs."""

import base64

import grpc
import numpy as np
import pytest
import tensorflow as tf

PLUS_TWO = [
    "tfs_half_plus_two_cpu",
    "tfs_half_plus_two_2v",
    "tfs_half_plus_two_2v_123",
    "tfs_half_plus_two_tf2",
    "tfs_half_plus_two_with_config",
]
PLUS_THREE = ["tfs_half_plus_three", "sm_half_plus_three", "sm_half_plus_three_123"]
X = [[-3.0], [0.0], [1e6], [7.25]]


def example(**features):
    """Give a serialized Example of floats."""
    lists = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


# Half of it and more.


@pytest.mark.parametrize(
    ("model", "added"), [*((m, 2.0) for m in PLUS_TWO), *((m, 3.0) for m in PLUS_THREE)]
)
def test_half_of_it_and_more(clients, model, added):
    expected = [[x / 2 + added] for (x,) in X]
    assert clients.rest(f"{model}:predict", {"instances": X}) == (200, {"predictions": expected})
    assert clients.rest(f"{model}:predict", {"inputs": X}) == (200, {"outputs": expected})
    outputs = clients.predict(model, x=np.array(X, np.float32))
    assert outputs.keys() == {"y"}
    assert outputs["y"].tolist() == expected


@pytest.mark.parametrize("model", PLUS_TWO)
def test_half_of_an_examples_feature_as_a_score_and_as_a_value(clients, model):
    examples = [{"x": 2.0}, {"x": -8.5}]
    serialized = [example(**one) for one in examples]

    body = {"signature_name": "classify_x_to_y", "examples": examples}
    scores = [[["", 3.0]], [["", -2.25]]]
    assert clients.rest(f"{model}:classify", body) == (200, {"results": scores})
    assert clients.classify(model, "classify_x_to_y", serialized) == [[("", 3.0)], [("", -2.25)]]

    body = {"signature_name": "regress_x_to_y", "examples": examples}
    assert clients.rest(f"{model}:regress", body) == (200, {"results": [3.0, -2.25]})
    assert clients.regress(model, "regress_x_to_y", serialized) == [3.0, -2.25]


@pytest.mark.parametrize("model", PLUS_THREE)
def test_a_regression_whose_signature_states_a_wrong_type(clients, model):
    body = {"signature_name": "tensorflow/serving/regress", "examples": [{"x": 2.0}]}
    assert clients.rest(f"{model}:regress", body) == (200, {"results": [4.0]})
    serialized = [example(x=2.0)]
    assert clients.regress(model, "tensorflow/serving/regress", serialized) == [4.0]


def test_a_matrix(clients):
    eye = np.eye(3, dtype=np.float32)[None]
    expected = (eye / 2 + 2).tolist()
    body = {"instances": eye.tolist()}
    answer = clients.rest("tfs_matrix_half_plus_two:predict", body)
    assert answer == (200, {"predictions": expected})
    assert clients.predict("tfs_matrix_half_plus_two", x=eye)["y"].tolist() == expected


# State.


def test_a_counter_counts(clients):
    model = "tfs_counter"
    clients.predict(model, "reset_counter")
    calls = ["incr_counter", "incr_counter", "get_counter"]
    assert [clients.predict(model, call)["output"].item() for call in calls] == [1.0, 2.0, 2.0]
    body = {"signature_name": "incr_counter_by", "inputs": 5.0}
    assert clients.rest(f"{model}:predict", body) == (200, {"outputs": 7.0})
    assert clients.predict(model, "get_counter")["output"].item() == 7.0


def test_a_signature_without_inputs_is_refused_over_rest_as_by_tensorflow_serving(clients):
    body = {"signature_name": "get_counter", "instances": [1]}
    status, answer = clients.rest("tfs_counter:predict", body)
    assert (status, answer) == (
        400,
        {"error": "Failed to get input map for signature: get_counter"},
    )


# Many inputs and outputs, and a method that changes between versions.


@pytest.mark.parametrize("model", ["sts_template_app", "sts_template_app_1"])
def test_keys_come_back_with_their_rows(clients, model):
    instances = [{"features": [float(n)] * 9, "keys": [n]} for n in range(3)]
    status, answer = clients.rest(f"{model}:predict", {"instances": instances})
    assert status == 200
    outputs = clients.predict(
        model,
        features=np.array([one["features"] for one in instances], np.float32),
        keys=np.array([one["keys"] for one in instances], np.int32),
    )
    assert outputs["keys"].tolist() == [[0], [1], [2]]
    assert np.allclose(outputs["softmax"].sum(axis=1), 1)
    assert outputs["prediction"].tolist() == outputs["softmax"].argmax(axis=1).tolist()
    assert answer["predictions"] == [
        {
            "keys": outputs["keys"][row].tolist(),
            "prediction": outputs["prediction"][row].item(),
            "softmax": pytest.approx(outputs["softmax"][row].tolist(), rel=1e-6),
        }
        for row in range(3)
    ]


@pytest.mark.parametrize(("model", "method"), [("_1", "classify"), ("", "predict")])
def test_the_metadata_report_the_method_of_each_version(clients, model, method):
    status, answer = clients.rest(f"sts_template_app{model}/metadata")
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert status == 200
    assert signatures["serving_default"]["method_name"] == f"tensorflow/serving/{method}"


# An estimator with vocabularies, and real rides.

TIPS = [0.301, 0.201, 0.294]


def test_the_tips_of_the_first_rides_over_rest(clients, taxi_examples):
    model = "tfx_taxi_estimator"
    body = {
        "signature_name": "predict",
        "instances": [b64(one) for one in taxi_examples[:3]],
    }
    status, answer = clients.rest(f"{model}:predict", body)
    assert status == 200
    tips = [one["probabilities"][1] for one in answer["predictions"]]
    assert tips == pytest.approx(TIPS, abs=5e-4)
    assert answer["predictions"][0]["all_classes"] == ["0", "1"]


def test_the_tips_of_the_first_rides_over_grpc(clients, taxi_examples):
    model = "tfx_taxi_estimator"
    examples = np.array(taxi_examples, object)
    outputs = clients.predict(model, "predict", examples=examples)
    assert outputs["probabilities"].shape == (424, 2)
    assert outputs["probabilities"][:3, 1] == pytest.approx(TIPS, abs=5e-4)

    classes = clients.classify(model, "classification", taxi_examples)
    assert [label for label, _ in classes[0]] == ["0", "1"]
    tips = [score for ((_, _), (_, score)) in classes]
    assert tips == outputs["probabilities"][:, 1].tolist()
    values = clients.regress(model, "regression", taxi_examples)
    # The logistic of the same logits, rounded in another place.
    assert values == pytest.approx(tips, rel=1e-5)


def test_examples_written_as_json_are_the_same_examples(clients, taxi_examples):
    def plain(serialized):
        features = tf.train.Example.FromString(serialized).features.feature
        kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
        return {
            name: [
                value.decode() if kind == "bytes_list" else value
                for value in getattr(features[name], kind).value
            ]
            for name, kind in kinds.items()
            if kind
        }

    body = {
        "signature_name": "classification",
        "examples": [plain(one) for one in taxi_examples[:3]],
    }
    status, answer = clients.rest("tfx_taxi_estimator:classify", body)
    assert status == 200
    assert [scores[1][1] for scores in answer["results"]] == pytest.approx(TIPS, abs=5e-4)


def test_bytes_that_are_not_an_example_are_an_error_of_the_request(clients):
    model = "tfx_taxi_estimator"
    body = {"signature_name": "predict", "instances": [b64(b"garbage\xff")]}
    status, answer = clients.rest(f"{model}:predict", body)
    assert status == 400
    assert "Could not parse example input" in answer["error"]
    with pytest.raises(grpc.RpcError) as caught:
        clients.predict(model, "predict", examples=np.array([b"garbage\xff"], object))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Could not parse example input" in caught.value.details()


# A model of sounds, which the eager loader cannot load.

RATE = 22050  # Hz
SAMPLES = 43844
LOWEST_NOTE = 21  # MIDI


def strongest_note(note):
    """Give the MIDI number of the loudest of 88 notes over a window of [1, frames, 88]."""
    return LOWEST_NOTE + np.asarray(note)[0].mean(axis=0).argmax()


@pytest.mark.parametrize(("hertz", "midi"), [(440.0, 69), (261.63, 60)])
def test_basic_pitch_hears_a_sine(clients, basic_pitch, hertz, midi):
    if basic_pitch is None:
        pytest.skip("the wheel of basic-pitch cannot be had from pip's index")
    sine = np.sin(2 * np.pi * hertz * np.arange(SAMPLES) / RATE).astype(np.float32)
    outputs = clients.predict("basic_pitch", input_2=sine[None, :, None])
    assert outputs.keys() == {"contour", "note", "onset"}
    assert strongest_note(outputs["note"]) == midi
    status, answer = clients.rest("basic_pitch:predict", {"inputs": sine[None, :, None].tolist()})
    assert status == 200
    assert strongest_note(answer["outputs"]["note"]) == midi


def sine_of(hertz):
    sine = np.sin(2 * np.pi * hertz * np.arange(SAMPLES) / RATE).astype(np.float32)
    return sine[None, :, None]


def test_basic_pitch_for_tensorflow_lite_answers_as_the_interpreter(clients, basic_pitch):
    if basic_pitch is None:
        pytest.skip("the wheel of basic-pitch cannot be had from pip's index")
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="needs the extra tflite")
    outputs = clients.predict("basic_pitch_lite", input_2=sine_of(440.0))
    assert strongest_note(outputs["note"]) == 69
    interpreter = litert.Interpreter(str(basic_pitch.parent / "nmp.tflite"), num_threads=1)
    expected = interpreter.get_signature_runner("serving_default")(input_2=sine_of(440.0))
    assert {alias: array.tobytes() for alias, array in outputs.items()} == {
        alias: array.tobytes() for alias, array in expected.items()
    }


def test_basic_pitch_in_onnx_answers_as_onnxruntime(clients, basic_pitch):
    if basic_pitch is None:
        pytest.skip("the wheel of basic-pitch cannot be had from pip's index")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    inputs = {"serving_default_input_2:0": sine_of(440.0)}
    outputs = clients.predict("basic_pitch_onnx", **inputs)
    assert strongest_note(outputs["StatefulPartitionedCall:1"]) == 69
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(basic_pitch.parent / "nmp.onnx"), options)
    expected = session.run(sorted(outputs), inputs)
    assert [outputs[name].tobytes() for name in sorted(outputs)] == [
        array.tobytes() for array in expected
    ]


# What only the eager loader can restore.


def test_a_keras_3_model_that_tensorflow_serving_cannot_serve(clients):
    body = {"instances": [[1.0, 2.0, 3.0]]}
    assert clients.rest("keras_3:predict", body) == (200, {"predictions": [[6.0, 6.0]]})
    outputs = clients.predict("keras_3", inputs=np.array([[1, 2, 3]], np.float32))
    assert outputs["output_0"].tolist() == [[6.0, 6.0]]


# What no loader can load.


@pytest.mark.parametrize(
    ("model", "version", "code", "reason"),
    [
        ("tfx_pusher", "1584391735", "INVALID_ARGUMENT", "'BoostedTreesBucketize'"),
        ("cassava_tfhub", "1", "NOT_FOUND", "variables/variables.data-00000-of-00001"),
    ],
)
def test_a_version_that_does_not_load_has_its_reason_in_one_line(
    clients, model, version, code, reason
):
    status, answer = clients.rest(model)
    (state,) = answer["model_version_status"]
    assert (status, state["version"], state["state"]) == (200, version, "END")
    assert state["status"]["error_code"] == code
    assert reason in state["status"]["error_message"]
    assert "\n" not in state["status"]["error_message"]
    assert [line for line in clients.log if model in line and reason in line]


def test_every_other_model_of_the_folder_is_served(folder, clients):
    named = {entry.stem for entry in folder.iterdir()} - {"data", "tfx_pusher", "cassava_tfhub"}
    states = {name: clients.rest(name)[1]["model_version_status"][0]["state"] for name in named}
    assert states == dict.fromkeys(named, "AVAILABLE")
