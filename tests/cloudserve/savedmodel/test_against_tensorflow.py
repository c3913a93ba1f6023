"""What is read without TensorFlow is what TensorFlow reads."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cloudserve.errors import ModelError
from cloudserve.savedmodel import SavedModel, TensorSpec, proto, read_saved_model
from cloudserve.savedmodel.checkpoint.variables import INDEX, read_index
from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from tests.cloudserve.messages import is_repeated

ROOTS = {
    "tensorflow.SavedModel": proto.SavedModel,
    "tensorflow.BundleHeaderProto": proto.BundleHeaderProto,
    "tensorflow.BundleEntryProto": proto.BundleEntryProto,
}


def mismatches(ours, real_name: str, messages: dict, visited: set[str]) -> list[str]:
    """List the fields below one of our messages that TensorFlow's message of this name has not."""
    if real_name in visited:
        return []
    visited.add(real_name)
    results = []
    for field in ours.fields:
        real = messages[real_name].get(str(field.number))
        if real is None or real[:3] != [field.name, field.type, is_repeated(field)]:
            results.append(f"{real_name}.{field.name} = {field.number}: {real}")
        elif field.message_type:
            results += mismatches(field.message_type, real[3], messages, visited)
    return results


@pytest.mark.parametrize("root", ROOTS)
def test_field_names_numbers_and_types_are_those_of_tensorflow(oracle, root):
    observed: set[str] = set()
    assert mismatches(ROOTS[root].DESCRIPTOR, root, oracle["messages"], observed) == []
    assert len(observed) >= (20 if root == "tensorflow.SavedModel" else 1)


def test_data_types_are_those_of_tensorflow(oracle):
    ours = {str(number): name for number, name in PROTO_NAMES.items()}
    assert {number: ours[number] for number in oracle["data_types"]} == oracle["data_types"]
    # Earlier versions have fewer.
    assert version("tensorflow") < "2.21" or len(ours) == len(oracle["data_types"])
    assert {n: dtype_name(int(n)) for n in oracle["dtype_names"]} == oracle["dtype_names"]


def test_invalid_and_unknown_data_types_have_names_too():
    assert dtype_name(0) == "invalid"
    assert dtype_name(77) == "unknown_77"


def tensors(specs: tuple[TensorSpec, ...]) -> dict:
    return {
        s.alias: [s.tensor_name, s.dtype, None if s.shape is None else list(s.shape)] for s in specs
    }


def described(model: SavedModel) -> dict:
    return {
        "tags": list(model.tags),
        "version": model.tensorflow_version,
        "git_version": model.tensorflow_git_version,
        "ops": list(model.ops),
        "signatures": {
            s.name: [s.method_name, tensors(s.inputs), tensors(s.outputs)]
            for s in model.all_signatures
        },
    }


def readable(oracle: dict) -> list[str]:
    return [name for name in oracle["models"] if not name.startswith("cassava")]


def test_every_real_model_reads_as_tensorflow_reads_it(oracle, shared_models):
    ours = {name: described(read_saved_model(shared_models / name)) for name in readable(oracle)}
    theirs = {
        name: {key: value for key, value in oracle["models"][name].items() if key != "text"}
        for name in readable(oracle)
    }
    assert ours == theirs
    assert len(ours) == 14


def test_the_text_form_that_tensorflow_writes_reads_like_the_binary_one(oracle, shared_models):
    for name in readable(oracle):
        text = Path(oracle["models"][name]["text"])
        link = text / "variables"
        if (shared_models / name / "variables").is_dir() and not link.exists():
            link.symlink_to(shared_models / name / "variables")
        assert described(read_saved_model(text)) == described(
            read_saved_model(shared_models / name)
        )
        assert read_saved_model(text).assets == read_saved_model(shared_models / name).assets


def test_the_index_names_the_bytes_of_the_tensors_that_tensorflow_finds(oracle, shared_models):
    known = {name: size for name, size in oracle["checkpoint_bytes"].items() if size}
    needed = {
        name: sum(read_index((shared_models / name / INDEX).read_bytes()).needed.values())
        for name in known
    }
    assert needed == known
    assert len(known) >= 8


def test_it_works_in_a_process_that_imported_tensorflow_before(oracle):
    assert len(oracle["read_beside_tensorflow"]) == 13


def run_python(code: str, path: Path) -> str:
    """Run code in a fresh process with the path as its argument, and return what it prints."""
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


def test_it_works_in_a_process_that_imports_tensorflow_after(shared_models):
    code = """
import sys
from cloudserve.savedmodel import read_saved_model
before = read_saved_model(sys.argv[1])
assert "tensorflow" not in sys.modules
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
with open(before.path / "saved_model.pb", "rb") as file:
    print(SavedModel.FromString(file.read()).meta_graphs[0].meta_info_def.tensorflow_version)
print(read_saved_model(sys.argv[1]) == before)
"""
    path = shared_models / "tfs_half_plus_two_tf2" / "123"
    assert run_python(code, path) == "2.14.0\nTrue\n"


def test_reading_needs_neither_tensorflow_nor_numpy(shared_models):
    code = """
import sys
from cloudserve.savedmodel import read_saved_model, read_tree, resolve
read_saved_model(sys.argv[1]), read_tree(sys.argv[1]), resolve(sys.argv[1])
print(sorted({"tensorflow", "numpy", "grpc"} & set(sys.modules)))
"""
    assert run_python(code, shared_models / "tfs_half_plus_two_tf2" / "123") == "[]\n"


def test_the_model_without_its_data_shard_is_refused_in_one_sentence(shared_models):
    with pytest.raises(ModelError) as raised:
        read_saved_model(shared_models / "cassava_tfhub" / "1")
    assert str(raised.value) == "variables/variables.data-00000-of-00001 is missing"
