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


def test_the_counters_of_a_loop_are_no_answers():
    graph = parse(GraphDef, b"")
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="rows", op="TensorListFromTensor", input=["x"])
    graph.node.add(name="made", op="TensorListReserve", input=["x"])
    graph.node.add(name="loop", op="StatelessWhile", input=["rows", "made"])
    for n in range(3):
        graph.node.add(name=f"counter{n}", op="Identity", input=[f"loop:{n}"])
    assert sorted(find_ends(graph).outputs) == ["counter0", "counter1", "counter2"]
    graph.node.add(name="y", op="TensorListStack", input=["loop:2"])
    assert find_ends(graph).outputs == {"y": "y:0"}
