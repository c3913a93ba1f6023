"""An image refuses a graph that its TensorFlow does not read, in TensorFlow's words."""

from __future__ import annotations

import pytest
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.types import LoadError

from cloudserve.savedmodel.reader import read_meta_graph


def edited(shared_models, change):
    path = shared_models / "tfs_half_plus_two_cpu" / "123"
    meta_graph = read_meta_graph(path, ("serve",))
    change(meta_graph.graph_def)
    return meta_graph, path


def name_variables(graph):
    node = graph.node.add(name="variable", op="VarHandleOp")
    node.attr["debug_name"].s = b"variable/"


def need_a_later_version(graph):
    graph.versions.min_consumer = 700


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (name_variables, "NodeDef mentions attr 'debug_name' not in Op<name=VarHandleOp"),
        (need_a_later_version, "GraphDef min consumer version 700 above current version 561"),
    ],
)
def test_a_graph_of_a_later_tensorflow_is_refused(shared_models, change, words):
    meta_graph, path = edited(shared_models, change)
    with pytest.raises(LoadError) as caught:
        ServingImage("2.4").check_ops(meta_graph, path)
    assert caught.value.message.startswith(words)
    ServingImage("2.5").check_ops(meta_graph, path)
