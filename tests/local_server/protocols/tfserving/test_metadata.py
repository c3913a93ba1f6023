"""Metadata of a model with every field of a SignatureDef, over REST and gRPC."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.batching import BatchedModel, BatchingParameters
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.inference.types import Metadata, ModelSpec
from cloudserve.local_server.protocols.tfserving.grpc.signature import signature_map
from cloudserve.local_server.protocols.tfserving.model_json import metadata_json
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import definitions_of
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

DEFAULT = np.float32([[1.5, -2.0]])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Save a model of a dense input that has a default and a named dimension, and a sparse one."""
    path = tmp_path_factory.mktemp("defaulted") / "1"
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        dense = v1.placeholder(tf.float32, [None, 2], name="dense")
        sparse = v1.sparse_placeholder(tf.float32, name="sparse")
        outputs = {"y": tf.identity(dense), "values": tf.identity(sparse.values)}
        inputs = {"dense": dense, "sparse": sparse}
        v1.saved_model.simple_save(session, str(path), inputs, outputs)
    file = path / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["dense"].CopyFrom(tf.make_tensor_proto(DEFAULT))
    signature.inputs["dense"].tensor_shape.dim[0].name = "batch"
    file.write_bytes(saved.SerializeToString())
    return path


@pytest.fixture(scope="module", params=["session", "replicas", "batched"])
def metadata(request, path):
    devices = ("cpu:0", "cpu:1") if request.param == "replicas" else ()
    model = load_model(path, options=SessionOptions(devices=devices))
    if request.param == "batched":
        model = BatchedModel(model, BatchingParameters(), Scheduler(1, "batch"))
    yield Metadata(ModelSpec("m", 1), definitions_of(model))
    model.close()


def test_grpc_reports_the_definitions_as_they_stand_in_the_file(path, metadata):
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    text = SignatureDefMap.FromString(signature_map(metadata).SerializeToString())
    assert dict(text.signature_def) == dict(saved.meta_graphs[0].signature_def)


def test_rest_reports_defaults_names_of_dimensions_and_parts_of_sparse_tensors(metadata):
    signatures = json.loads(metadata_json(metadata))["metadata"]["signature_def"]["signature_def"]
    signature = signatures["serving_default"]
    assert signature["inputs"]["sparse"]["coo_sparse"] == {
        "values_tensor_name": "sparse/values:0",
        "indices_tensor_name": "sparse/indices:0",
        "dense_shape_tensor_name": "sparse/shape:0",
    }
    assert signature["inputs"]["dense"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": "batch"}, {"size": "2", "name": ""}],
        "unknown_rank": False,
    }
    default = signature["defaults"]["dense"]
    assert default["dtype"] == "DT_FLOAT"
    assert default["float_val"] == []
    assert base64.b64decode(default["tensor_content"]) == DEFAULT.tobytes()
