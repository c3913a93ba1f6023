"""Write down, with TensorFlow, what it knows: `python tensorflow_oracle.py MODELS FOLDER`.

TensorFlow is imported first and cloudserve's messages after it: they must not collide.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2

from cloudserve.savedmodel import read_saved_model


def is_repeated(field):
    """Return whether a field is a list or a map; protobuf 5 says it by `label` alone."""
    known = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if known is None else known


def describe(descriptor, messages):
    """Collect the fields of a message and of all it reaches, by the message's full name."""
    if descriptor.full_name in messages:
        return messages
    messages[descriptor.full_name] = {
        field.number: [
            field.name,
            field.type,
            is_repeated(field),
            field.message_type.full_name if field.message_type else None,
        ]
        for field in descriptor.fields
    }
    for field in descriptor.fields:
        if field.message_type:
            describe(field.message_type, messages)
    return messages


def describe_shape(info):
    """Return the dimensions; None for an unknown rank, and where the model states no shape."""
    if not info.HasField("tensor_shape") or info.tensor_shape.unknown_rank:
        return None
    return tf.TensorShape(info.tensor_shape).as_list()


def describe_tensors(tensors):
    return {
        alias: [
            info.name,
            tf.dtypes.as_dtype(info.dtype).name if info.dtype else "invalid",
            describe_shape(info),
        ]
        for alias, info in tensors.items()
    }


def describe_graph(graph):
    functions = graph.graph_def.library.function
    ops = {node.op for node in graph.graph_def.node}
    ops |= {node.op for function in functions for node in function.node_def}
    return {
        "tags": list(graph.meta_info_def.tags),
        "version": graph.meta_info_def.tensorflow_version,
        "git_version": graph.meta_info_def.tensorflow_git_version,
        "ops": sorted(ops - {function.signature.name for function in functions}),
        "signatures": {
            name: [
                signature.method_name,
                describe_tensors(signature.inputs),
                describe_tensors(signature.outputs),
            ]
            for name, signature in graph.signature_def.items()
        },
    }


def read_model(path, text_folder):
    message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    text_folder.mkdir(parents=True)
    (text_folder / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    (graph,) = message.meta_graphs
    return {**describe_graph(graph), "text": str(text_folder)}


def checkpoint_bytes(path):
    """Return the bytes that TensorFlow reads from a checkpoint's data: fixed-size tensors only."""
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    if tf.string in dtypes.values():
        return None
    return sum(tf.TensorShape(shapes[n]).num_elements() * dtypes[n].size for n in shapes)


def save_classifier(path, look_up, table):
    """Save a model that answers the name that `look_up` gives the highest score's number."""
    module = tf.Module()
    module.table = table

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def run(x):
        return {"label": look_up(tf.argmax(x, -1)), "scores": x}

    module.run = run
    tf.saved_model.save(module, str(path), signatures=run)
    return str(path)


def save_labelled(folder):
    """Save a classifier of `cat`, `dog`, `eel` in each form that TensorFlow has for its names."""
    names = ["cat", "dog", "eel"]
    file = folder / "labels.txt"
    folder.mkdir()
    file.write_text("".join(f"{name}\n" for name in names))
    index = tf.lookup.TextFileIndex
    lines = (str(file), tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE)
    pairs = (tf.range(3, dtype=tf.int64), tf.constant(names))
    tables = {
        "table": tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(*pairs), "?"),
        "asset": tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(*lines), "?"),
    }
    paths = {
        form: save_classifier(folder / form, table.lookup, table) for form, table in tables.items()
    }
    constant = save_classifier(
        folder / "constant", lambda numbers: tf.gather(tf.constant(names), numbers), None
    )
    return {**paths, "constant": constant}


def damage_tensors(folder):
    """Save tensors, and list for each byte of their file which ones TensorFlow refuses without it.

    The file is changed in place, a byte at a time, and left as it was saved.
    """
    prefix = folder / "variables" / "variables"
    prefix.parent.mkdir(parents=True)
    tensors = {
        "floats": tf.constant([1.0, 2.0]),
        "half": tf.constant(0.5, tf.bfloat16),
        "words": tf.constant([["cat", ""], ["a longer word", "eel"]]),
        "zero": tf.zeros([0], tf.int64),
    }
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    (shard,) = prefix.parent.glob("variables.data-*")
    saved = shard.read_bytes()
    refused = []
    for position in range(len(saved)):
        changed = bytearray(saved)
        changed[position] ^= 1
        shard.write_bytes(changed)
        refused.append([name for name in tensors if not is_readable(prefix, name)])
    shard.write_bytes(saved)
    return {"folder": str(folder), "refused": refused}


def is_readable(prefix, name):
    """Return whether TensorFlow restores a tensor."""
    try:
        tf.train.load_checkpoint(str(prefix)).get_tensor(name)
    except (RuntimeError, tf.errors.OpError) as error:
        assert "hecksum" in str(error) or "ength" in str(error), error
        return False
    return True


def main(models: Path, folder: Path) -> None:
    paths = sorted(file.parent for file in models.glob("*/*/saved_model.pb"))
    whole = [path for path in paths if list(path.glob("variables/variables.data-*"))]
    messages = describe(saved_model_pb2.SavedModel.DESCRIPTOR, {})
    describe(tensor_bundle_pb2.BundleHeaderProto.DESCRIPTOR, messages)
    describe(tensor_bundle_pb2.BundleEntryProto.DESCRIPTOR, messages)
    numbers = {value.number: value.name for value in types_pb2.DataType.DESCRIPTOR.values}
    names = {number: tf.dtypes.as_dtype(number).name for number in numbers if number}
    facts = {
        "messages": messages,
        "damaged": damage_tensors(folder / "damaged"),
        "data_types": numbers,
        "dtype_names": names,
        "models": {
            str(path.relative_to(models)): read_model(path, folder / path.relative_to(models))
            for path in paths
        },
        "labelled": save_labelled(folder / "labelled"),
        "checkpoint_bytes": {str(p.relative_to(models)): checkpoint_bytes(p) for p in whole},
        "read_beside_tensorflow": [str(read_saved_model(path).path) for path in whole],
    }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
