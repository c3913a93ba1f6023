"""Models whose ops read and write files of the server's machine."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from cloudserve.local_server.runtime.loading.denied_ops import (
    PRINT_TO_FILE,
    SCANNED,
    read_denied_ops,
)
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code

from cloudserve.errors import UserError


def traced(tf, body):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def run(x):
        with tf.control_dependencies([body(x)]):
            return {"y": x + 1}

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Give models whose function has an op: `writes`, `reads`, `prints`, `prints_to_file`."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("denied")
    target = str(folder / "written")
    bodies = {
        "writes": lambda x: tf.io.write_file(target, tf.strings.as_string(x[0])),
        "reads": lambda _: tf.io.read_file(target),
        "prints": tf.print,
        "prints_to_file": lambda x: tf.print(x, output_stream=f"file://{target}"),
    }
    for name, body in bodies.items():
        module = tf.Module()
        module.run = traced(tf, body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's own deprecations
            tf.saved_model.save(module, str(folder / name), signatures=module.run)
    return folder


def load(path: Path, denied: frozenset[str]):
    return load_model(path, options=SessionOptions(denied_ops=denied))


@pytest.mark.parametrize(
    ("name", "op"),
    [("writes", "WriteFile"), ("reads", "ReadFile"), ("prints_to_file", "PrintV2")],
)
def test_a_denied_op_in_a_function_ends_the_load_with_its_reason(folder, name, op):
    with pytest.raises(LoadError) as caught:
        load(folder / name, SCANNED)
    assert caught.value.code is Code.PERMISSION_DENIED
    message = caught.value.message
    assert message.startswith(f"the op {op} (node ")
    assert message.endswith(
        "of the model's graph may read or write files of this machine: this server does not load"
        " it, by a rule of its own (--deny-ops) and not of the platform; --deny-ops none allows it"
    )


def test_printing_to_the_log_is_no_harm(folder):
    load(folder / "prints", SCANNED).close()
    with pytest.raises(LoadError):
        load(folder / "prints", frozenset({"PrintV2"}))


def test_an_op_that_opens_no_file_is_reported_as_denied_alone(folder):
    with pytest.raises(LoadError, match="graph is denied: this server does not"):
        load(folder / "prints", frozenset({"AddV2"}))


def test_a_model_whose_ops_are_not_denied_loads_and_runs(folder):
    import numpy as np

    model = load(folder / "writes", frozenset())
    model.run("serving_default", {"x": np.array([1.0], np.float32)})
    model.close()
    assert (folder / "written").read_text() == "1.000000"


def test_the_list_is_that_of_saved_model_cli():
    from tensorflow.python.tools import saved_model_cli

    assert {op.removesuffix("=file") for op in SCANNED} == saved_model_cli._OP_DENYLIST


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("none", set()),
        ("", set()),
        ("scan", {"ReadFile", "WriteFile", PRINT_TO_FILE}),
        ("SaveV2,Sum>Int", {"SaveV2", "Sum>Int"}),
        ("scan,SaveV2", {"ReadFile", "WriteFile", PRINT_TO_FILE, "SaveV2"}),
    ],
)
def test_lists_are_read(text, denied):
    assert read_denied_ops(text) == denied


@pytest.mark.parametrize("text", ["all", "ReadFile;WriteFile", "read_file", "Read File", "scan, x"])
def test_a_text_that_is_not_a_list_of_ops_is_refused(text):
    with pytest.raises(UserError, match=r"--deny-ops: `.*` is neither `none` nor `scan` nor"):
        read_denied_ops(text)
