"""Real SavedModels run through a Session: known answers, TensorFlow's own texts."""

import gzip
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.errors import ModelError

PLUS_TWO = [
    "tfs_half_plus_two_cpu/123",
    "tfs_half_plus_two_2v/123",
    "tfs_half_plus_two_2v/124",
    "tfs_half_plus_two_tf2/123",
    "tfs_half_plus_two_with_config/123",
]
PLUS_THREE = ["tfs_half_plus_three/123", "sm_half_plus_three/123", "sm_half_plus_three/124"]


@pytest.fixture(scope="module")
def half_plus_two(models):
    return models("tfs_half_plus_two_cpu/123")


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def refusal(model, inputs, signature="serving_default"):
    with pytest.raises(StatusError) as caught:
        model.run(signature, inputs)
    return caught.value


@pytest.mark.parametrize(
    ("path", "added"), [*((p, 2.0) for p in PLUS_TWO), *((p, 3.0) for p in PLUS_THREE)]
)
def test_models_of_every_age_give_half_of_it_and_more(models, path, added):
    x = np.array([[-3.0], [0.0], [1e6], [7.25]], np.float32)
    outputs = models(path).run("serving_default", {"x": x})
    assert outputs.keys() == {"y"}
    assert outputs["y"].dtype == np.float32
    assert outputs["y"].tolist() == (x / 2 + added).tolist()


def test_shapes_are_the_requests_own_whatever_the_signature_says(half_plus_two):
    assert half_plus_two.signatures["serving_default"].inputs[0].shape == (None, 1)
    for shape in [(), (3,), (2, 2, 2), (0, 1)]:
        assert (
            half_plus_two.run("serving_default", {"x": np.ones(shape, np.float32)})["y"].shape
            == shape
        )


def test_a_matrix_goes_through(models):
    eye = np.eye(3, dtype=np.float32)[None]
    outputs = models("tfs_matrix_half_plus_two/1").run("serving_default", {"x": eye})
    assert outputs["y"].tolist() == (eye / 2 + 2).tolist()


def test_a_model_keeps_its_state_between_calls(models):
    counter = models("tfs_counter/123")
    counter.run("reset_counter", {})
    calls = ["incr_counter", "incr_counter", "get_counter"]
    assert [counter.run(name, {})["output"].item() for name in calls] == [1.0, 2.0, 2.0]
    counter.run("incr_counter_by", {"delta": np.array(5, np.float32)})
    assert counter.run("get_counter", {})["output"].item() == 7.0


def test_many_inputs_and_outputs_go_by_their_aliases(models):
    outputs = models("sts_template_app/1").run(
        "serving_default",
        {"features": np.ones((2, 9), np.float32), "keys": np.array([[7], [8]], np.int32)},
    )
    assert outputs["keys"].tolist() == [[7], [8]]
    assert outputs["prediction"].dtype == np.int64
    assert np.allclose(outputs["softmax"].sum(axis=1), 1)


def first_examples(shared_models, count):
    """Read serialized examples; a record is length (8 bytes), checksum (4), data, checksum (4)."""
    data = gzip.decompress((shared_models / "data/taxi_eval.tfrecord.gz").read_bytes())
    examples, at = [], 0
    while len(examples) < count:
        size = int.from_bytes(data[at : at + 8], "little")
        examples.append(data[at + 12 : at + 12 + size])
        at += 16 + size
    return examples


def test_an_estimator_parses_examples_and_looks_words_up(models, shared_models):
    examples = strings(*first_examples(shared_models, 3))
    outputs = models("tfx_taxi_estimator/1646034756").run("predict", {"examples": examples})
    assert outputs["probabilities"][:, 1].round(3).tolist() == [
        pytest.approx(p, abs=5e-4) for p in (0.301, 0.201, 0.294)
    ]
    assert outputs["all_classes"].tolist()[0] == [b"0", b"1"]


def test_strings_may_come_as_fixed_width_bytes(models, shared_models):
    taxi = models("tfx_taxi_estimator/1646034756")
    (example,) = first_examples(shared_models, 1)
    fixed = taxi.run("predict", {"examples": np.array([example], "S")})
    assert fixed["probabilities"].shape == (1, 2)


def test_many_threads_may_call_at_once(half_plus_two):
    def half_of(n):
        return half_plus_two.run("serving_default", {"x": np.array([n], np.float32)})["y"].item()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(half_of, range(500))) == [n / 2 + 2 for n in range(500)]


# Errors.


@pytest.mark.parametrize(
    ("array", "word"),
    [(strings(b"a"), "string"), (np.ones(1), "double"), (np.ones(1, np.int32), "int32")],
)
def test_a_wrong_element_type_is_reported_as_the_cpp_session_tells_it(half_plus_two, array, word):
    error = refusal(half_plus_two, {"x": array})
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == f"Expects arg[0] to be float but {word} is provided"


def test_an_ops_error_keeps_tensorflows_code_and_text(half_plus_two):
    error = refusal(half_plus_two, {"inputs": strings(b"garbage")}, "regress_x_to_y")
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message.startswith("Could not parse example input, value: 'garbage'\n\t [[{{node")


def test_an_ops_error_that_quotes_bytes_is_an_error_of_the_request(half_plus_two):
    error = refusal(half_plus_two, {"inputs": strings(b"garbage\xff\xfe")}, "regress_x_to_y")
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message.startswith("Could not parse example input, value: 'garbage\\xff\\xfe'")


def test_a_closed_model_refuses_calls(shared_models):
    model = load_model(shared_models / "tfs_half_plus_two_cpu/123")
    model.close()
    error = refusal(model, {"x": np.ones(1, np.float32)})
    assert (error.code, error.message) == (Code.CANCELLED, "Session has been closed.")


def test_a_model_whose_op_is_gone_says_which_in_one_line(shared_models):
    with pytest.raises(ModelError) as caught:
        load_model(shared_models / "tfx_pusher/1584391735")
    assert caught.value.message.startswith(
        "No OpKernel was registered to support Op 'BoostedTreesBucketize'"
    )
    assert "\n" not in caught.value.message
    assert caught.value.where == str(shared_models / "tfx_pusher/1584391735")


def test_a_model_without_its_weights_says_which_file_in_one_line(shared_models):
    with pytest.raises(ModelError) as caught:
        load_model(shared_models / "cassava_tfhub/1")
    assert caught.value.message.endswith(
        "variables/variables.data-00000-of-00001; No such file or directory"
    )


def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(LoadError) as caught:
        load_model(tmp_path)
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file "
        f"called `saved_model.pb`)\nSpecified file path: {tmp_path}"
    )


def test_a_file_that_is_no_model_says_so(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(LoadError) as caught:
        load_model(tmp_path)
    assert caught.value.code is Code.DATA_LOSS
    assert caught.value.message == f"Can't parse {tmp_path / 'saved_model.pb'} as binary proto"


def test_tags_that_no_graph_has_are_reported(shared_models):
    with pytest.raises(LoadError) as caught:
        load_model(shared_models / "tfs_half_plus_two_cpu/123", ("serve", "gpu"))
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == (
        "Could not find meta graph def matching supplied tags: { serve gpu }. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


# What the restore op leaves unset.


@pytest.fixture(scope="module")
def keras_3_saved(tmp_path_factory):
    import tensorflow as tf

    path = tmp_path_factory.mktemp("keras") / "1"
    layers = [tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2, kernel_initializer="ones")]
    tf.saved_model.save(tf.keras.Sequential(layers), str(path))
    return path


def test_a_keras_3_model_is_restored_by_its_object_graph(keras_3_saved):
    model = load_model(keras_3_saved)
    x = np.array([[1, 2, 3]], np.float32)
    assert model.run("serving_default", {"inputs": x})["output_0"].tolist() == [[6.0, 6.0]]
    error = refusal(model, {"inputs": np.ones((1, 4), np.float32)})
    assert error.code is Code.INVALID_ARGUMENT
    model.close()
    assert refusal(model, {"inputs": x}).code is Code.CANCELLED


def test_init_ops_are_no_signatures_of_requests(models):
    model = models("tfs_half_plus_two_tf2/123")
    assert set(model.all_signatures) - set(model.signatures) == {"__saved_model_init_op"}


def test_the_types_need_neither_tensorflow_nor_numpy():
    code = (
        "import sys, cloudserve.local_server.models, cloudserve.local_server.runtime.types;"
        "sys.exit(bool({'tensorflow', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Broken(list):
    """Arrays whose use is a defect of the server, not of the request."""

    @property
    def dtype(self):
        raise AttributeError("a defect")


def test_a_defect_is_internal_and_logged_and_its_text_stays_in_the_log(shared_models, caplog):
    model = load_model(shared_models / "tfs_half_plus_two_cpu" / "123")
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", {"x": Broken()})
    model.close()
    assert (caught.value.code, caught.value.message) == (
        Code.INTERNAL,
        "the server failed; its log says why",
    )
    assert "AttributeError: a defect" in caplog.text
