"""The stored messages are those of the installed packages, and live beside them in one process."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from cloudserve.local_server.messages import message_class, stored_descriptors

TOOL = Path(__file__).parents[3] / "tools" / "message_descriptors.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("message_descriptors", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stored_files_are_those_of_the_installed_packages(tool):
    theirs = {file.name: file for file in tool.installed_descriptors().file}
    ours = {file.name: file for file in stored_descriptors().file}
    assert ours.keys() == theirs.keys()
    for name, file in ours.items():
        assert file == theirs[name], name


def test_a_message_is_the_same_on_the_wire_as_the_packages():
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    theirs = PredictRequest()
    theirs.model_spec.name = "m"
    theirs.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.5, 2.0]]))
    ours = message_class("tensorflow.serving.PredictRequest")
    assert ours is not PredictRequest
    read = ours.FromString(theirs.SerializeToString())
    assert read.inputs["x"].tensor_shape.dim[1].size == 2
    assert PredictRequest.FromString(read.SerializeToString()) == theirs


def test_a_name_that_does_not_exist_is_a_key_error():
    with pytest.raises(KeyError, match=r"tensorflow\.NoSuchMessage"):
        message_class("tensorflow.NoSuchMessage")


def test_threads_that_begin_at_once_have_one_class():
    code = """
import threading
from concurrent.futures import ThreadPoolExecutor
from cloudserve.local_server.messages import message_class
together = threading.Barrier(8)
def find(_):
    together.wait()
    return message_class("tensorflow.GraphDef")
with ThreadPoolExecutor(8) as pool:
    assert len(set(pool.map(find, range(8)))) == 1
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_neither_package_is_imported():
    code = (
        "import sys, cloudserve.local_server.protocols.tfserving.grpc.models;"
        "import cloudserve.local_server.protocols.tfserving.grpc.prediction;"
        "sys.exit(bool({'tensorflow', 'tensorflow_serving'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
