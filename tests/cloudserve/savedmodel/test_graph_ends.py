"""The inputs and outputs that are proposed for a graph."""

from cloudserve.savedmodel.graph_ends import find_ends
from cloudserve.savedmodel.proto import GraphDef, parse


def test_no_tensor_is_lost_by_its_name():
    graph = parse(GraphDef, b"")
    names = ["a/x", "b/x", "b.x", "b_x"]
    for name in names:
        graph.node.add(name=name, op="Placeholder")
    graph.node.add(name="sum", op="AddN", input=names)
    ends = find_ends(graph)
    assert sorted(ends.inputs.values()) == sorted(f"{name}:0" for name in names)
    assert ends.inputs["x"] == "a/x:0"
