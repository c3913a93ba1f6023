"""The gate *load* refuses what `cloudserve check` finds that no server loads, and nothing else."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.check.check import check_model
from cloudserve.errors import GateRefusedError
from cloudserve.savedmodel import proto


def nodes(meta_graph, op):
    return [node for node in meta_graph.graph_def.node if node.op == op]


def lose_type(meta_graph):
    del nodes(meta_graph, "Placeholder")[0].attr["dtype"]


def read_another_output(meta_graph):
    nodes(meta_graph, "Identity")[0].input[0] += ":7"


def restore_doubles(meta_graph):
    nodes(meta_graph, "RestoreV2")[0].attr["dtypes"].list.type[0] = 2


def need_a_later_version(meta_graph):
    meta_graph.graph_def.versions.min_consumer = 1_000_000


def repeat_a_node(meta_graph):
    meta_graph.graph_def.node.add().CopyFrom(meta_graph.graph_def.node[0])


def fetch_nothing(meta_graph):
    meta_graph.signature_def["regress_x_to_y"].outputs.clear()


FATAL = (lose_type, read_another_output, restore_doubles, need_a_later_version, repeat_a_node)
OF_ONE_SIGNATURE = (fetch_nothing,)


def planted(fault, shared_models, tmp_path):
    folder = tmp_path / "half" / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder)
    path = folder / "saved_model.pb"
    path.chmod(0o644)
    message = proto.SavedModel.FromString(path.read_bytes())
    fault(message.meta_graphs[0])
    path.write_bytes(message.SerializeToString())
    assert not check_model(folder, 1, folder, ("serve",)).is_servable
    return tmp_path / "half"


@pytest.mark.parametrize("fault", FATAL)
def test_a_graph_that_no_server_loads_is_refused(
    releases, platform, shared_models, tmp_path, fault
):
    base = planted(fault, shared_models, tmp_path)
    with pytest.raises(GateRefusedError, match=r"^gate load: "):
        releases(path=base).deploy(1)
    assert platform.blobs.uploads == []


@pytest.mark.parametrize("fault", OF_ONE_SIGNATURE)
def test_an_error_in_one_signature_is_a_warning(releases, shared_models, tmp_path, fault):
    base = planted(fault, shared_models, tmp_path)
    lines: list[str] = []
    assert releases(lines, path=base).deploy(1).changed
    assert any("it has no output" in line for line in lines)


def test_a_model_without_the_words_of_its_table_is_refused(
    releases, platform, shared_models, tmp_path
):
    base = tmp_path / "taxi"
    shutil.copytree(shared_models / "tfx_taxi_estimator", base)
    (version,) = base.iterdir()
    next(iter(sorted(version.glob("assets/*")))).unlink()
    with pytest.raises(GateRefusedError, match=r"^gate load: assets/.* does not exist"):
        releases(path=base).deploy(int(version.name))
    assert platform.blobs.uploads == []
