"""Models that no loader can open say which op or file is wrong, in one line."""

import gc
import shutil

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.runtime.errors import load_error
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError
from tensorflow.core.protobuf import saved_model_pb2

VOCABULARY = "assets/vocab_compute_and_apply_vocabulary_vocabulary"
INDEX, DATA = "variables/variables.index", "variables/variables.data-00000-of-00001"


def copy(model, to):
    shutil.copytree(model, to, copy_function=shutil.copyfile)
    for folder in [to, *to.rglob("*")]:
        folder.chmod(0o755)
    return to


@pytest.fixture
def taxi(shared_models, tmp_path):
    return copy(shared_models / "tfx_taxi_estimator/1646034756", tmp_path / "1")


def failure(path):
    with pytest.raises(LoadError) as caught:
        load_model(path)
    assert caught.value.where == str(path)
    assert "\n" not in caught.value.message
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("file", [VOCABULARY, INDEX, DATA])
def test_a_missing_file_is_named(taxi, file):
    (taxi / file).unlink()
    assert failure(taxi) == (Code.NOT_FOUND, f"{taxi / file}; No such file or directory")


@pytest.mark.parametrize(("folder", "file"), [("assets", "vocab_"), ("variables", "variables")])
def test_a_missing_folder_is_reported_by_a_file_in_it(taxi, folder, file):
    shutil.rmtree(taxi / folder)
    code, message = failure(taxi)
    assert code is Code.NOT_FOUND
    assert message.startswith(f"{taxi / folder / file}")
    assert message.endswith("; No such file or directory")


def test_a_file_that_is_truncated_is_reported(taxi):
    (taxi / DATA).write_bytes((taxi / DATA).read_bytes()[:1000])
    assert failure(taxi) == (
        Code.OUT_OF_RANGE,
        f"{taxi}/variables: Read less bytes than requested",
    )


def test_an_index_that_is_truncated_is_reported(taxi):
    (taxi / INDEX).write_bytes((taxi / INDEX).read_bytes()[:600])
    assert failure(taxi) == (
        Code.DATA_LOSS,
        f"{taxi}/variables: not an sstable (bad magic number)",
    )


def test_a_wrong_byte_is_reported(taxi):
    data = bytearray((taxi / DATA).read_bytes())
    data[5000] ^= 0xFF
    (taxi / DATA).write_bytes(data)
    code, message = failure(taxi)
    assert code is Code.DATA_LOSS
    assert message.startswith(f"TensorBundle at {taxi}/variables/variables shard 0")


def test_a_graph_that_is_truncated_is_reported(taxi):
    graph = taxi / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    assert failure(taxi) == (Code.DATA_LOSS, f"Can't parse {graph} as binary proto")


def edit(path, change):
    """Change the first meta graph of a SavedModel."""
    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    return path


def of_an_unknown_op(meta_graph):
    graph = meta_graph.graph_def
    bodies = [node for function in graph.library.function for node in function.node_def]
    for node in [*graph.node, *bodies]:
        if node.op == "Mul":
            node.op = "TheirOwnOp"


@pytest.mark.parametrize(
    "model", ["tfs_half_plus_two_cpu/123", "tfs_half_plus_two_tf2/123"], ids=["graph", "function"]
)
def test_an_op_that_tensorflow_does_not_know_is_named(shared_models, tmp_path, model):
    path = edit(copy(shared_models / model, tmp_path / "1"), of_an_unknown_op)
    code, message = failure(path)
    assert code is Code.NOT_FOUND
    assert message.startswith("Op type not registered 'TheirOwnOp' in binary running on ")
    assert len(message) < 150


def test_a_node_that_does_not_exist_is_named(shared_models, tmp_path):
    def dangling(meta_graph):
        next(node for node in meta_graph.graph_def.node if node.op == "Mul").input[0] = "nowhere"

    path = edit(copy(shared_models / "tfs_half_plus_two_cpu/123", tmp_path / "1"), dangling)
    assert failure(path) == (
        Code.INVALID_ARGUMENT,
        "Node 'Mul': Unknown input node 'nowhere'",
    )


def test_a_tensor_of_a_signature_that_does_not_exist_fails_that_signature_alone(
    shared_models, tmp_path
):
    def lost(meta_graph):
        meta_graph.signature_def["serving_default"].outputs["y"].name = "nowhere:0"

    path = edit(copy(shared_models / "tfs_half_plus_two_cpu/123", tmp_path / "1"), lost)
    model = load_model(path)
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", {"x": np.ones((1, 1), np.float32)})
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == (
        "Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found in "
        "the Graph"
    )
    outputs = model.run("regress_x2_to_y3", {"inputs": np.ones((1, 1), np.float32)})
    assert outputs["outputs"].shape == (1, 1)
    model.close()


def test_the_files_of_an_eager_model_are_named_too(tmp_path):
    path = tmp_path / "1"
    layers = [tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2)]
    tf.saved_model.save(tf.keras.Sequential(layers), str(path))
    (path / DATA).unlink()
    assert failure(path) == (Code.NOT_FOUND, f"{path / DATA}; No such file or directory")


def sessions():
    gc.collect()
    return sum(isinstance(one, tf.compat.v1.Session) for one in gc.get_objects())


@pytest.mark.parametrize("file", [VOCABULARY, DATA])
def test_an_error_that_is_kept_keeps_no_session(taxi, file):
    (taxi / file).unlink()
    before = sessions()
    with pytest.raises(LoadError) as caught:
        load_model(taxi)
    assert caught.value.__traceback__ is not None
    assert sessions() == before


def test_the_first_of_several_errors_is_reported():
    text = "2 root error(s) found.\n  (0) NOT_FOUND: a; No such file\n\t [[{{node x}}]]\n  (1) …"
    error = load_error(tf.errors.NotFoundError(None, None, text), "/m")
    assert (error.code, error.message) == (Code.NOT_FOUND, "a; No such file")


def test_a_long_reason_is_cut():
    error = load_error(ValueError("x" * 1000), "/m")
    assert error.message == "x" * 300 + "…"


def test_a_missing_name_is_reported_without_pythons_quotes():
    error = load_error(KeyError("The name 'x:0' refers to a Tensor which does not exist."), "m")
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == "The name 'x:0' refers to a Tensor which does not exist."


def test_a_default_that_is_not_a_tensor_fails_the_load(shared_models, tmp_path):
    def wrong(meta_graph):
        default = meta_graph.signature_def["serving_default"].defaults["x"]
        default.dtype = 1
        default.tensor_shape.dim.add(size=3)
        default.tensor_content = b"\0"

    path = edit(copy(shared_models / "tfs_half_plus_two_cpu/123", tmp_path / "1"), wrong)
    code, message = failure(path)
    assert code is Code.INVALID_ARGUMENT
    assert message.startswith("a default of a signature is not a tensor: ")


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """A Keras model: the object graph has the values of its variables."""
    path = tmp_path_factory.mktemp("dense") / "1"
    tf.saved_model.save(tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)]), path)
    return path


def more_bound_inputs_than_the_call_has(meta_graph):
    for function in meta_graph.object_graph_def.concrete_functions.values():
        function.bound_inputs.extend([0] * 10)


def a_child_that_is_not_there(meta_graph):
    meta_graph.object_graph_def.nodes[0].children[0].node_id = 10_000


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (more_bound_inputs_than_the_call_has, "inputs, fewer than the "),
        (a_child_that_is_not_there, "object 10000 is missing: there are "),
    ],
    ids=["bound inputs", "a child"],
)
def test_a_damaged_object_graph_fails_the_load(dense, tmp_path, damage, reason):
    code, message = failure(edit(copy(dense, tmp_path / "1"), damage))
    assert code is Code.DATA_LOSS
    assert message.startswith("the object graph is damaged: ")
    assert reason in message


def test_a_graph_above_the_limit_of_a_protobuf_is_not_read(tmp_path):
    with (tmp_path / "saved_model.pb").open("wb") as file:
        file.truncate(3 << 30)
    text = f"Can't parse {tmp_path / 'saved_model.pb'} as binary proto"
    assert failure(tmp_path) == (Code.DATA_LOSS, text)
