"""A SavedModel is read, or its fault is reported in one sentence."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudserve.errors import ModelError, UserError
from cloudserve.plural import counted
from cloudserve.savedmodel import proto, read_saved_model
from cloudserve.savedmodel.checkpoint.variables import INDEX
from tests.cloudserve.messages import built

SHARD = "variables/variables.data-00000-of-00001"


def refusal(path: Path, tags: tuple[str, ...] = ("serve",)) -> tuple[str, str | None]:
    with pytest.raises(ModelError) as raised:
        read_saved_model(path, tags)
    assert raised.value.where == str(path)
    return raised.value.message, raised.value.hint


def write_model(path: Path, *graphs: dict) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    message = built(proto.SavedModel(), {"saved_model_schema_version": 1, "meta_graphs": graphs})
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    return path


def tagged(*tags: str, version: str = "2.21.0") -> dict:
    return {"meta_info_def": {"tags": tags, "tensorflow_version": version}}


def test_a_real_model_says_all_that_people_ask(shared_models):
    path = shared_models / "tfs_half_plus_two_tf2" / "123"
    model = read_saved_model(path)
    assert model.path == path
    assert model.tags == ("serve",)
    assert model.available_tags == (("serve",),)
    assert model.tensorflow_version == "2.14.0"
    assert model.has_variables
    assert model.assets == ("foo.txt",)
    assert model.missing_assets == ()
    assert {"AddV2", "StatefulPartitionedCall", "VarHandleOp"} < set(model.ops)
    assert list(model.ops) == sorted(set(model.ops))
    assert not any(op.startswith("__inference") for op in model.ops)


def test_a_path_may_be_a_string(shared_models):
    path = shared_models / "tfs_half_plus_two_tf2" / "123"
    assert read_saved_model(str(path)) == read_saved_model(path)


def test_the_loader_s_signature_is_hidden_from_people_and_reachable(shared_models):
    model = read_saved_model(shared_models / "tfs_half_plus_two_tf2" / "123")
    hidden = {s.name for s in model.all_signatures} - {s.name for s in model.signatures}
    assert hidden == {"__saved_model_init_op"}
    (output,) = model.signature("__saved_model_init_op").outputs
    assert (output.tensor_name, output.dtype) == ("NoOp", "invalid")


def test_an_unknown_signature_is_a_user_error_with_the_visible_names(shared_models):
    model = read_saved_model(shared_models / "tfs_counter" / "123")
    with pytest.raises(UserError) as raised:
        model.signature("predict")
    assert raised.value.message == "the model has no signature 'predict'"
    assert raised.value.hint == (
        "name one of these: get_counter, incr_counter, incr_counter_by, reset_counter"
    )


def test_an_op_that_only_a_function_of_a_real_model_uses_is_found(shared_models):
    path = shared_models / "tfx_taxi_estimator" / "1646034756"
    (graph,) = proto.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs
    outside = {node.op for node in graph.graph_def.node}
    assert "LookupTableFindV2" not in outside
    assert "LookupTableFindV2" in read_saved_model(path).ops


def test_an_op_that_tensorflow_dropped_is_named(shared_models):
    model = read_saved_model(shared_models / "tfx_pusher" / "1584391735")
    assert "BoostedTreesBucketize" in model.ops


def test_calls_by_function_name_are_not_ops(tmp_path):
    function = {"signature": {"name": "f"}, "node_def": [{"op": "Rare"}, {"op": "f"}]}
    graph = {"node": [{"op": "f"}, {"op": "Const"}], "library": {"function": [function]}}
    path = write_model(tmp_path / "m", {**tagged("serve"), "graph_def": graph})
    assert read_saved_model(path).ops == ("Const", "Rare")


def test_a_model_may_lack_variables(shared_models):
    assert not read_saved_model(shared_models / "tfs_matrix_half_plus_two" / "1").has_variables


def test_the_metagraph_with_exactly_the_tags_is_read(tmp_path):
    path = write_model(
        tmp_path / "m", tagged("serve", "gpu", version="1"), tagged("serve", version="2")
    )
    assert read_saved_model(path).tensorflow_version == "2"
    both = read_saved_model(path, ("gpu", "serve"))
    assert both.tensorflow_version == "1"
    assert both.tags == ("gpu", "serve")
    assert both.available_tags == (("gpu", "serve"), ("serve",))


def test_other_tags_are_refused_with_those_there_are(tmp_path):
    path = write_model(tmp_path / "m", tagged("train"), tagged("serve", "gpu"), tagged())
    assert refusal(path) == (
        "no MetaGraph has the tags serve",
        "name the tags of an existing one: train; gpu,serve; (none)",
    )


def test_a_missing_directory_is_refused(tmp_path):
    assert refusal(tmp_path / "missing") == (
        "there is no such directory",
        "give the directory that holds saved_model.pb",
    )


@pytest.mark.parametrize("name", ["nul\0", "long" * 100])
def test_a_name_that_no_directory_can_have_is_refused(tmp_path, name):
    assert refusal(tmp_path / name)[0] == "there is no such directory"


def test_a_file_is_refused(tmp_path):
    (tmp_path / "model.keras").touch()
    assert refusal(tmp_path / "model.keras") == (
        "a file is not a SavedModel directory",
        "give the directory of a SavedModel (in Keras: model.export('DIRECTORY'))",
    )


def test_the_model_s_file_instead_of_its_directory_is_refused_with_the_directory(model):
    assert refusal(model / "saved_model.pb") == (
        "a file is not a SavedModel directory",
        f"give the directory that holds it: {model}",
    )


def test_a_directory_without_a_model_is_refused(tmp_path):
    assert refusal(tmp_path) == (
        "the directory has no saved_model.pb",
        "give the directory of a SavedModel (in Keras: model.export('DIRECTORY'))",
    )


def test_a_base_path_is_refused_with_its_versions(shared_models):
    path = shared_models / "tfs_half_plus_two_2v"
    assert refusal(path) == (
        "the directory holds versions (123, 124), not one SavedModel",
        f"give one of them, such as {path / '124'}",
    )


def test_an_empty_file_is_refused(model):
    (model / "saved_model.pb").write_bytes(b"")
    assert refusal(model) == ("saved_model.pb is empty", "copy or export the model again")


def test_a_file_that_is_truncated_is_refused(model):
    whole = (model / "saved_model.pb").read_bytes()
    (model / "saved_model.pb").write_bytes(whole[:20000])
    assert refusal(model) == (
        "saved_model.pb is not a SavedModel protobuf, or is truncated (20,000 bytes)",
        "copy or export the model again",
    )


def test_a_git_lfs_pointer_is_refused_with_the_command_that_helps(model):
    (model / "saved_model.pb").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
    )
    assert refusal(model) == (
        "saved_model.pb is a Git LFS pointer, not the model",
        "fetch the content: git lfs pull",
    )


def test_a_frozen_graph_is_refused(model):
    graph = proto.SavedModel().meta_graphs.add().graph_def
    graph.node.add(op="Const")
    (model / "saved_model.pb").write_bytes(graph.SerializeToString())
    assert refusal(model)[0] == (
        "the file holds no MetaGraph, so it is not a SavedModel (a frozen graph, perhaps)"
    )


def test_a_directory_in_the_file_s_place_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").mkdir()
    assert refusal(tmp_path)[0] == "saved_model.pb cannot be read: Is a directory"


def test_a_missing_data_shard_is_refused_by_name(model):
    (model / SHARD).unlink()
    assert refusal(model) == (
        f"{SHARD} is missing",
        "copy or export the SavedModel again: the copy is incomplete",
    )


def test_a_data_shard_that_is_truncated_is_refused_with_its_bytes(model):
    (model / SHARD).write_bytes((model / SHARD).read_bytes()[:-1])
    assert refusal(model)[0] == f"{SHARD} is truncated: 630 of 631 bytes"


def test_an_empty_index_is_refused(model):
    (model / INDEX).write_bytes(b"")
    assert refusal(model)[0] == f"{INDEX} is damaged or truncated: its end is missing"


def test_shards_without_an_index_are_refused_where_the_graph_restores_nothing(model):
    message = proto.parse(proto.SavedModel, (model / "saved_model.pb").read_bytes())
    message.meta_graphs[0].ClearField("saver_def")
    (model / "saved_model.pb").write_bytes(message.SerializeToString())
    (model / INDEX).unlink()
    assert refusal(model)[0] == f"{INDEX} is missing: variables/ has the shards alone"


def test_a_missing_index_is_refused_where_the_graph_restores_variables(model):
    (model / INDEX).unlink()
    assert refusal(model)[0] == f"{INDEX} is missing, and the graph has variables to restore"


def test_missing_assets_are_reported_and_logged_but_the_model_serves(shared_models, caplog):
    path = shared_models / "tfs_half_plus_two_with_config" / "123"
    with caplog.at_level(logging.WARNING):
        assert read_saved_model(path).missing_assets == ("foo.txt",)
    assert caplog.messages == [f"{path}: the graph names assets that do not exist: foo.txt"]


def test_a_damaged_collection_of_assets_is_refused(tmp_path):
    collection = {"any_list": {"value": [{"type_url": "x", "value": b"\xff"}]}}
    graph = {**tagged("serve"), "collection_def": {"saved_model_assets": collection}}
    path = write_model(tmp_path / "m", graph)
    assert refusal(path)[0] == "the collection saved_model_assets is damaged"


def test_the_text_form_reads_like_the_binary_one_without_unknown_fields(model):
    binary = read_saved_model(model)
    message = proto.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    text = text_format.MessageToString(message) + 'unheard_of { of: "x" }\n'
    (model / "saved_model.pb").unlink()
    (model / "saved_model.pbtxt").write_text(text)
    assert read_saved_model(model) == binary


@pytest.mark.parametrize("content", [b"meta_graphs {", b"\xff\xfe", b"x {" * 5000])
def test_a_text_form_that_does_not_parse_is_refused(tmp_path, content):
    (tmp_path / "saved_model.pbtxt").write_bytes(content)
    size = counted(len(content), "byte")
    assert refusal(tmp_path)[0] == (
        f"saved_model.pbtxt is not a SavedModel protobuf, or is truncated ({size})"
    )


def test_the_binary_form_goes_before_the_text_form(model):
    (model / "saved_model.pbtxt").write_text("nonsense")
    assert read_saved_model(model).tensorflow_version == "2.14.0"


def test_the_chunked_form_is_refused(tmp_path):
    (tmp_path / "saved_model.cpb").touch()
    assert refusal(tmp_path) == (
        "the chunked form saved_model.cpb cannot be read",
        "export the model in one file, without experimental_image_format",
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(st.binary())
def test_random_bytes_raise_nothing_but_a_model_error(scratch, data):
    (scratch / "saved_model.pb").write_bytes(data)
    with pytest.raises(ModelError):
        read_saved_model(scratch)


@given(st.text())
def test_random_text_raises_nothing_but_a_model_error(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "random_text"
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pbtxt").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError):
        read_saved_model(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_real_model_with_changed_bytes_raises_nothing_but_a_model_error(
    shared_models, model, data
):
    whole = (shared_models / "tfs_half_plus_two_tf2" / "123" / "saved_model.pb").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=8))
    skipped = data.draw(st.sampled_from([0, len(noise), len(whole)]))
    (model / "saved_model.pb").write_bytes(whole[:at] + noise + whole[at + skipped :])
    try:
        read = read_saved_model(model)
    except ModelError:
        return
    assert read.tags == ("serve",)


def test_a_file_above_the_limit_of_a_protobuf_is_not_read(tmp_path):
    with (tmp_path / "saved_model.pb").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ModelError, match="3,221,225,472 bytes, and a protobuf has less than 2 GB"):
        read_saved_model(tmp_path)
