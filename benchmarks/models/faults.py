"""The faults that `findings.py` plants in a model: changes to its MetaGraph or its files.

A fault raises one of NO_PLACE if a model has no place for it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import places
import signature_faults
from cloudserve.local_server.codecs.tfrecord import frame
from cloudserve.local_server.messages import Message, message_class
from cloudserve.local_server.warmup import WARMUP_FILE

GRAPH, INDEX = Path("saved_model.pb"), Path("variables", "variables.index")
NO_PLACE = (IndexError, FileNotFoundError, StopIteration, ValueError)
Fault = Callable[[Path], None]
_VARIABLES = frozenset({"VarHandleOp", "Variable", "VariableV2"})
_INT64, _DOUBLE, _STRING = 9, 2, 7


def cut(path: Path) -> None:
    """Remove the second half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip(path: Path, position: int | None = None) -> None:
    """Change a byte of a file, by default in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if position is None else position] ^= 0xFF
    path.write_bytes(data)


def shard(folder: Path) -> Path:
    """Return the first file of variables."""
    return next(folder.glob("variables/variables.data-*-of-*"))


def edited(change: Callable[[Message], None]) -> Fault:
    """Return a fault that changes the MetaGraph."""

    def damage(folder: Path) -> None:
        message = message_class("tensorflow.SavedModel").FromString((folder / GRAPH).read_bytes())
        change(message.meta_graphs[0])
        (folder / GRAPH).write_bytes(message.SerializeToString())

    return damage


def replace_op(meta_graph: Message) -> None:
    """Name an op that no TensorFlow has."""
    nodes = meta_graph.graph_def.node
    next(node for node in nodes if node.op in {"Identity", "Placeholder", "Const"}).op = "Absent"


def make_cycle(meta_graph: Message) -> None:
    """Let a node read itself."""
    node = next(node for node in meta_graph.graph_def.node if node.input)
    node.input[0] = node.name


def dangle(meta_graph: Message) -> None:
    """Let a node read a node that does not exist."""
    next(node for node in meta_graph.graph_def.node if node.input).input[0] = "absent"


def repeat(meta_graph: Message) -> None:
    """Add a node with the name of another."""
    nodes = meta_graph.graph_def.node
    nodes.add().CopyFrom(nodes[0])


def repeat_function(meta_graph: Message) -> None:
    """Add another function with the name of one."""
    functions = meta_graph.graph_def.library.function
    copy = functions.add()
    copy.CopyFrom(functions[0])
    copy.node_def.add(name="added", op="NoOp")


def name_as_op(meta_graph: Message) -> None:
    """Give a function the name of an op."""
    places.served_function(meta_graph).signature.name = "Identity"


def lose_output(meta_graph: Message) -> None:
    """Let a signature name a tensor that does not exist."""
    places.output(meta_graph).name = "absent:0"


def lose_restore(meta_graph: Message) -> None:
    """Let the loader run a restore op that does not exist."""
    if not any(node.op == "RestoreV2" for node in places.nodes(meta_graph)):
        raise IndexError
    meta_graph.saver_def.restore_op_name = "absent"


def place_elsewhere(meta_graph: Message) -> None:
    """Place the graph on a machine of a cluster."""
    for node in meta_graph.graph_def.node:
        node.device = "/job:worker/task:3"


def place_on_gpu(meta_graph: Message) -> None:
    """Place the graph on a GPU, which a loader ignores: not a fault."""
    for node in meta_graph.graph_def.node:
        node.device = "/device:GPU:3"


def colocate(meta_graph: Message) -> None:
    """Colocate a node with a node that the graph lacks."""
    places.reader(meta_graph).attr["_class"].list.s.append(b"loc:@absent")


def _restore(meta_graph: Message) -> tuple[Message, dict[str, Message]]:
    """Return the graph's last op that restores, and the nodes beside it."""
    for scope in places.scopes(meta_graph):
        for node in scope:
            if node.op == "RestoreV2" and node.attr["dtypes"].list.type:
                return node, {one.name: one for one in scope}
    raise IndexError


def restore_another(meta_graph: Message) -> None:
    """Let the restore op read a value that is not stored."""
    node, named = _restore(meta_graph)
    named[node.input[1].partition(":")[0]].attr["value"].tensor.string_val[0] = b"absent"


def restore_as_double(meta_graph: Message) -> None:
    """Let the restore op read values of another dtype."""
    types = _restore(meta_graph)[0].attr["dtypes"].list.type
    types[0] = _DOUBLE if types[0] != _DOUBLE else _INT64


def _handles(meta_graph: Message) -> list[Message]:
    found = [node for node in meta_graph.graph_def.node if node.op in _VARIABLES]
    if not found:
        raise IndexError
    return found


def declare_as_double(meta_graph: Message) -> None:
    """Declare the variables with another dtype."""
    for node in _handles(meta_graph):
        node.attr["dtype"].type = _DOUBLE if node.attr["dtype"].type != _DOUBLE else _INT64


def declare_larger(meta_graph: Message) -> None:
    """Declare the variables with one more dimension."""
    for node in _handles(meta_graph):
        node.attr["shape"].shape.dim.add(size=7)


def need_newer(meta_graph: Message) -> None:
    """Let the graph refuse all versions of TensorFlow that exist."""
    meta_graph.graph_def.versions.min_consumer = 1_000_000


def refuse_all(meta_graph: Message) -> None:
    """Let the graph refuse each TensorFlow, that of the server and that of the platform."""
    meta_graph.graph_def.versions.bad_consumers.extend(range(3000))


def come_from_nowhere(meta_graph: Message) -> None:
    """Give the graph's writer an impossible version."""
    meta_graph.graph_def.versions.producer = -1


def lose_attribute(meta_graph: Message) -> None:
    """Remove an attribute that has no default."""
    node = next(node for node in meta_graph.graph_def.node if node.op == "Placeholder")
    del node.attr["dtype"]


def lose_attributes_of_function(meta_graph: Message) -> None:
    """Remove the types from the nodes of a function."""
    nodes = [n for n in places.served_function(meta_graph).node_def if "T" in n.attr]
    if not nodes:
        raise IndexError
    for node in nodes:
        del node.attr["T"]


def add_attribute(meta_graph: Message) -> None:
    """Add an attribute that the op does not have, which TensorFlow ignores: not a fault."""
    meta_graph.graph_def.node[0].attr["later"].i = 1


def number_for_type(meta_graph: Message) -> None:
    """Give an attribute a value of another kind."""
    next(node for node in meta_graph.graph_def.node if "dtype" in node.attr).attr["dtype"].i = 3


def multiply_texts(meta_graph: Message) -> None:
    """Give an attribute a type that the op does not take."""
    node = next(n for n in places.nodes(meta_graph) if n.op in {"MatMul", "Mul"})
    if node.name not in {one.name for one in meta_graph.graph_def.node}:
        raise IndexError
    node.attr["T"].type = _STRING


def read_another_output(meta_graph: Message) -> None:
    """Let a node read an output that does not exist."""
    node = places.reader(meta_graph)
    node.input[0] = f"{node.input[0].partition(':')[0]}:9"


def read_another_output_in_function(meta_graph: Message) -> None:
    """Let a node of a function read an output that does not exist."""
    nodes = places.served_function(meta_graph).node_def
    node = next(node for node in nodes if node.input[:1] and node.input[0].count(":") > 1)
    node.input[0] = f"{node.input[0].rpartition(':')[0]}:7"


def lose_inputs(meta_graph: Message) -> None:
    """Remove the inputs of a node."""
    del places.first(meta_graph, "Identity", "Mul", "MatMul", "AssignVariableOp").input[:]


def add_input(meta_graph: Message) -> None:
    """Add an input to a node."""
    node = places.first(meta_graph, "Identity", "Mul", "MatMul", "AssignVariableOp")
    node.input.append(node.input[0])


def read_as_text(meta_graph: Message) -> None:
    """Let a node expect another dtype than it reads."""
    places.first(meta_graph, "Identity").attr["T"].type = _STRING


def control_first(meta_graph: Message) -> None:
    """Put a control input before the others."""
    places.reader(meta_graph).input.insert(0, f"^{meta_graph.graph_def.node[0].name}")


def misname(meta_graph: Message) -> None:
    """Add a node with a name that TensorFlow does not take."""
    meta_graph.graph_def.node.add(name="a b", op="NoOp")


def pass_more(meta_graph: Message) -> None:
    """Call a function with one more argument."""
    call = places.served_call(meta_graph)
    call.attr["Tin"].list.type.append(call.attr["Tin"].list.type[0])
    call.input.insert(0, call.input[0])


def expect_another(meta_graph: Message) -> None:
    """Expect another dtype of a function."""
    types = places.served_call(meta_graph).attr["Tout"].list.type
    types[0] = _INT64 if types[0] != _INT64 else _DOUBLE


def take_more(meta_graph: Message) -> None:
    """Let a function take one more argument."""
    places.served_function(meta_graph).signature.input_arg.add(name="added", type=1)


def return_another(meta_graph: Message) -> None:
    """Let a function return what it does not compute."""
    function = places.served_function(meta_graph)
    function.ret[min(function.ret)] = "absent:output:0"


def use_new_op(meta_graph: Message) -> None:
    """Add a node of an op that TensorFlow has from 2.18 on."""
    meta_graph.graph_def.node.add(name="added", op="GlobalIterId")


def lose_asset(folder: Path) -> None:
    """Remove an asset."""
    next(folder.glob("assets/*")).unlink()


def warm(folder: Path, records: bytes) -> None:
    """Write warm-up records."""
    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(records)


def warm_up_another(folder: Path) -> None:
    """Add a warm-up record with an input of another model."""
    log = message_class("tensorflow.serving.PredictionLog")()
    tensor = log.predict_log.request.inputs["absent"]
    tensor.dtype = _DOUBLE
    tensor.double_val.append(1.0)
    warm(folder, frame(log.SerializeToString()))


def warm_up_nothing(folder: Path) -> None:
    """Add a warm-up record that is not a message."""
    warm(folder, frame(b"not a message"))


FAULTS: dict[str, Fault] = {
    "as it is": lambda _: None,
    "cut graph": lambda folder: cut(folder / GRAPH),
    "empty graph": lambda folder: (folder / GRAPH).open("wb").close(),
    "unknown op": edited(replace_op),
    "cycle": edited(make_cycle),
    "dangling input": edited(dangle),
    "node twice": edited(repeat),
    "function twice": edited(repeat_function),
    "function named as an op": edited(name_as_op),
    "no output": edited(lose_output),
    "no restore op": edited(lose_restore),
    "placed on a worker": edited(place_elsewhere),
    "placed on a GPU": edited(place_on_gpu),
    "colocated with nothing": edited(colocate),
    "needs a newer TensorFlow": edited(need_newer),
    "refuses each TensorFlow": edited(refuse_all),
    "impossible producer": edited(come_from_nowhere),
    "attribute missing": edited(lose_attribute),
    "attributes missing in a function": edited(lose_attributes_of_function),
    "attribute added": edited(add_attribute),
    "attribute of another kind": edited(number_for_type),
    "attribute not allowed": edited(multiply_texts),
    "reads output 9": edited(read_another_output),
    "reads output 7 in a function": edited(read_another_output_in_function),
    "inputs missing": edited(lose_inputs),
    "input too many": edited(add_input),
    "input of another dtype": edited(read_as_text),
    "control input first": edited(control_first),
    "invalid name": edited(misname),
    "argument too many": edited(pass_more),
    "result of another dtype": edited(expect_another),
    "function takes more": edited(take_more),
    "function returns nothing": edited(return_another),
    "signature fetches output 9": edited(signature_faults.fetch_another_output),
    "signature input dtype": edited(signature_faults.feed_another_type),
    "signature output dtype": edited(signature_faults.answer_another_type),
    "signature input shape": edited(signature_faults.feed_another_shape),
    "signature feeds twice": edited(signature_faults.feed_twice),
    "signature without inputs": edited(signature_faults.feed_nothing),
    "signature without outputs": edited(signature_faults.fetch_nothing),
    "restores another": edited(restore_another),
    "restores another dtype": edited(restore_as_double),
    "variables of another dtype": edited(declare_as_double),
    "variables of another shape": edited(declare_larger),
    "no shard": lambda folder: shard(folder).unlink(),
    "cut shard": lambda folder: cut(shard(folder)),
    "changed variable": lambda folder: flip(shard(folder)),
    "changed first byte": lambda folder: flip(shard(folder), 0),
    "cut index": lambda folder: cut(folder / INDEX),
    "no index": lambda folder: (folder / INDEX).unlink(),
    "no asset": lose_asset,
    "no signature": edited(signature_faults.have_no_signature),
    "signature of another method": edited(signature_faults.name_another_method),
    "tagged for training": edited(signature_faults.tag_otherwise),
    "scalar output": edited(signature_faults.answer_a_scalar),
    "op of a newer TensorFlow": edited(use_new_op),
    "warm-up records cut": lambda folder: warm(folder, frame(b"1234")[:-3]),
    "warm-up records damaged": lambda folder: warm(folder, frame(b"1234")[:-1] + b"."),
    "warm-up records of another model": warm_up_another,
    "warm-up records of no kind": warm_up_nothing,
}


def planted(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each fault that fits a model, and a copy with it, which lasts one turn."""
    for name, damage in FAULTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, source.parent.name, source.name)
            shutil.copytree(source, folder)
            (folder / GRAPH).chmod(0o644)
            try:
                damage(folder)
            except NO_PLACE:
                continue
            yield name, folder
