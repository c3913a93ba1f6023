"""ONNX models: onnxruntime's own answers, errors in the words of requests."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.codecs.response import encode_columns
from cloudserve.local_server.runtime.onnx.model import load_onnx
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.modelfiles.files import find_model_file
from tests.damaged_files import VARIANTS, load_damaged
from tests.model_files import onnx_identity, onnx_model, write

runtime = pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")
onnx = pytest.importorskip("onnx", reason="pip install onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

CPU = SessionOptions()


@pytest.fixture
def load(tmp_path):
    def make(model, options=CPU):
        data = model if isinstance(model, bytes) else model.SerializeToString()
        return load_onnx(find_model_file(write(tmp_path / "model.onnx", data)), options)

    return make


def refusal(model, inputs):
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", inputs)
    return caught.value.code, caught.value.message


def load_refusal(load, model, options=CPU):
    with pytest.raises(LoadError) as caught:
        load(model, options)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


def network():
    """Return a perceptron, whose sums depend on the order of the additions."""
    rng = np.random.default_rng(2)
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype("f"), name)
        for name, shape in (("w", (16, 64)), ("v", (64, 4)))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    return onnx_model(nodes, inputs=[x], outputs=[y], initializers=weights)


def test_answers_are_onnxruntimes_bit_by_bit(load):
    model = network()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    loaded = load(model)
    for rows in (1, 2, 7, 64):
        x = np.random.default_rng(rows).normal(size=(rows, 16)).astype("f")
        (expected,) = session.run(["y"], {"x": x})
        assert loaded.run("serving_default", {"x": x})["y"].tobytes() == expected.tobytes()


def test_threads_share_the_session(load):
    loaded = load(onnx_model())
    xs = [np.full(1 + n % 5, n, np.float32) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: loaded.run("serving_default", {"x": x})["y"], xs))
    for x, y in zip(xs, answers, strict=True):
        assert y.tolist() == (x / 2 + 2).tolist()


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("FLOAT16", "float16"),
        ("DOUBLE", "float64"),
        ("UINT16", "uint16"),
        ("INT64", "int64"),
        ("UINT64", "uint64"),
        ("BOOL", "bool"),
    ],
)
def test_arrays_keep_their_element_type(load, dtype, name):
    x = np.array([0, 1], name)
    y = load(onnx_identity(dtype)).run("serving_default", {"x": x})["y"]
    assert y.dtype.char == x.dtype.char
    assert y.tolist() == x.tolist()


def test_integers_that_onnxruntime_computes_are_numpys_own(load):
    nodes = [helper.make_node("ArgMax", ["x"], ["y"], axis=0, keepdims=1)]
    y = helper.make_tensor_value_info("y", TensorProto.INT64, [1])
    outputs = load(onnx_model(nodes, outputs=[y])).run("serving_default", {"x": np.float32([1, 2])})
    assert encode_columns(outputs) == b'{\n    "outputs": [1]\n}'


def test_strings_are_bytes_of_utf_8(load):
    loaded = load(onnx_identity("STRING", ("n", "m")))
    x = np.array([["é\0x".encode(), b""]], object)
    y = loaded.run("serving_default", {"x": x})["y"]
    assert y.dtype == object
    assert y.tolist() == x.tolist()
    fixed = np.array([[b"ab", b"c"]])
    assert loaded.run("serving_default", {"x": fixed})["y"].tolist() == [[b"ab", b"c"]]
    code, message = refusal(loaded, {"x": np.array([[b"\xff"]], object)})
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("the input x has bytes that are not UTF-8, and strings of ONNX")


def test_one_of_several_outputs_is_computed(load):
    nodes = [helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["z"])]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in "yz"]
    loaded = load(onnx_model(nodes, outputs=infos))
    x = np.float32([-1])
    assert loaded.run("serving_default", {"x": x}, ["z"]).keys() == {"z"}
    assert loaded.run("serving_default", {"x": x}).keys() == {"y", "z"}


def test_inputs_that_do_not_fit_are_invalid(load):
    loaded = load(network())
    assert refusal(loaded, {"x": np.zeros((1, 16))}) == (
        Code.INVALID_ARGUMENT,
        "Expects arg[0] to be float but double is provided",
    )
    assert refusal(loaded, {"x": np.zeros((1, 3), "f")}) == (
        Code.INVALID_ARGUMENT,
        (
            "Got invalid dimensions for input: x for the following indices index: 1 Got: 3 "
            "Expected: 16"
        ),
    )
    assert refusal(loaded, {}) == (Code.INVALID_ARGUMENT, "the inputs x are missing")


def test_values_that_an_operator_refuses_are_invalid(load):
    nodes = [helper.make_node("Gather", ["w", "x"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.INT64, ["n"])
    weights = [numpy_helper.from_array(np.ones(3, "f"), "w")]
    loaded = load(onnx_model(nodes, inputs=[x], initializers=weights))
    code, message = refusal(loaded, {"x": np.array([9])})
    assert code is Code.INVALID_ARGUMENT
    assert "indices element out of data bounds, idx=9" in message
    assert "onnxruntime_src" not in message


@pytest.mark.parametrize("shape", [(), (1, 1, 1, 1, 1)])
def test_a_rank_that_an_operator_refuses_is_invalid(load, shape):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(np.ones((4, 3), "f"), "w")]
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"])]
    loaded = load(onnx_model(nodes, inputs=[x], outputs=[y], initializers=weights))
    code, message = refusal(loaded, {"x": np.ones(shape, "f")})
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("Non-zero status code returned while running Gemm node.")
    assert "onnxruntime" not in message


def test_a_model_of_known_operators_may_be_batched(load):
    assert load(network()).stateless == {"serving_default"}
    noise = helper.make_node("RandomNormalLike", ["x"], ["y"])
    assert load(onnx_model([noise])).stateless == frozenset()


def test_a_closed_model_refuses(load):
    loaded = load(onnx_model())
    loaded.close()
    said = refusal(loaded, {"x": np.float32([1])})
    assert said == (Code.CANCELLED, "Session has been closed.")


def test_a_newer_opset_is_named_with_the_one_that_is_known(load):
    message = load_refusal(load, onnx_model(opset=99))
    assert message.startswith("the model is of opset 99 of ai.onnx, and onnxruntime ")
    assert "knows the opsets up to " in message


def test_a_newer_ir_version_is_named_with_the_one_that_is_known(load):
    message = load_refusal(load, onnx_model(ir=99))
    assert message.startswith("the model is of IR version 99, and onnxruntime ")


def test_weights_in_another_file_are_read_from_beside_the_model(load, tmp_path):
    model = onnx_model()
    onnx.save(
        model,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
    )
    data = (tmp_path / "model.onnx").read_bytes()
    assert load(data).run("serving_default", {"x": np.float32([2])})["y"].tolist() == [3.0]
    (tmp_path / "w.bin").write_bytes(b"1")
    assert "out of bounds" in load_refusal(load, data)
    (tmp_path / "w.bin").unlink()
    message = "the model's weights are in the file w.bin, which is missing"
    assert load_refusal(load, data) == message


@pytest.mark.parametrize("place", ["../outside.bin", "folder/../../outside.bin", "/dev/zero"])
def test_weights_outside_the_models_folder_are_not_read(load, tmp_path, place):
    write(tmp_path.parent / "outside.bin", b"\0" * 4)
    model = onnx_model()
    external(model.graph.initializer[0], place)
    message = f"the model's weights are in {place}, outside the model's folder"
    assert load_refusal(load, model) == message


def test_a_link_to_weights_outside_the_models_folder_is_not_followed(load, tmp_path):
    outside = tmp_path.parent / "outside.bin"
    write(outside, b"\0" * 4)
    (tmp_path / "link.bin").symlink_to(outside)
    model = onnx_model()
    external(model.graph.initializer[0], "link.bin")
    message = "the model's weights are in link.bin, outside the model's folder"
    assert load_refusal(load, model) == message


def test_a_model_without_outputs_is_refused_when_it_is_loaded(load):
    model = onnx_model()
    del model.graph.output[:]
    assert "has no output" in load_refusal(load, model)


def external(tensor, place):
    """Move a tensor's values to a file."""
    onnx.external_data_helper.set_external_data(tensor, place, 0, 4)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")


def test_a_device_that_is_not_the_cpu_is_refused(load):
    message = load_refusal(load, onnx_model(), SessionOptions(devices=("cpu:0", "gpu:0")))
    assert message == "ONNX models run on the CPU here, and not on gpu:0"


@pytest.mark.parametrize("data", [b"x", b"\x08\x08", b"\x3a\x02\x0a\x00"])
def test_a_broken_file_is_one_sentence(load, data):
    assert load_refusal(load, data)


def test_a_damaged_file_loads_or_is_refused(tmp_path):
    done = load_damaged(write(tmp_path / "m.onnx", network().SerializeToString()))
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < VARIANTS
