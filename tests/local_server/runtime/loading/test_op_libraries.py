"""Ops that are not TensorFlow's own: from shared libraries, and from the packages that have them.

Ops are registered for a process and for good, so each case loads in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

static void compute(void*, TF_OpKernelContext* context) {
  TF_Status* status = TF_NewStatus();
  TF_Tensor* input = nullptr;
  TF_GetInput(context, 0, &input, status);
  TF_SetOutput(context, 0, input, status);
  TF_DeleteTensor(input);
  TF_DeleteStatus(status);
}

__attribute__((constructor)) static void register_op() {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("CloudserveTestSame");
  TF_OpDefinitionBuilderAddInput(op, "x: float");
  TF_OpDefinitionBuilderAddOutput(op, "y: float");
  TF_RegisterOpDefinition(op, status);
  TF_RegisterKernelBuilder(
      "CloudserveTestSame",
      TF_NewKernelBuilder("CloudserveTestSame", "CPU", nullptr, compute, nullptr), status);
  TF_DeleteStatus(status);
}
"""
LOAD = """
import sys
from pathlib import Path
import numpy as np
from cloudserve.errors import ModelError
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model

options = SessionOptions(op_libraries=tuple(map(Path, sys.argv[2:])))
try:
    model = load_model(Path(sys.argv[1]), options=options)
except ModelError as error:
    sys.exit(f"{error.message} | {error.hint}")
print(model.run("serving_default", {"x": np.array([1, 2], np.float32)})["y"].tolist())
"""
FLOAT = 1


def write_model(folder: Path, op: str) -> Path:
    """Write a model whose y is what an op makes of x."""
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = message.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    x = graph.graph_def.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = FLOAT
    graph.graph_def.node.add(name="y", op=op, input=["x"])
    signature = graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for tensors, name in ((signature.inputs, "x"), (signature.outputs, "y")):
        tensors[name].name, tensors[name].dtype = f"{name}:0", FLOAT
        tensors[name].tensor_shape.dim.add(size=-1)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


def compile_library(folder: Path, source: str) -> Path:
    """Compile an op against TensorFlow's C API, whose headers are in its wheel."""
    import tensorflow as tf

    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to compile a custom op with")
    text, made = folder / "op.cc", folder / "op.so"
    text.write_text(source)
    flags = [f"-I{tf.sysconfig.get_include()}", *tf.sysconfig.get_link_flags()]
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, text, *flags], check=True)
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compile_library(tmp_path_factory.mktemp("op"), SOURCE)


def load(model, *libraries, **environment):
    """Load and run a model in a process of its own; return what it printed, or its error."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, model, *libraries],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.fixture
def custom(tmp_path):
    return write_model(tmp_path / "1", "CloudserveTestSame")


def test_a_custom_op_runs_with_its_library_given_or_named_by_the_environment(custom, library):
    assert load(custom, library) == "[1.0, 2.0]"
    assert load(custom, CLOUDSERVE_OP_LIBRARIES=str(library)) == "[1.0, 2.0]"


def test_without_its_library_a_custom_op_is_not_registered(custom):
    assert "Op type not registered 'CloudserveTestSame'" in load(custom)


def test_an_invalid_library_is_named_with_the_reason(custom, tmp_path):
    (tmp_path / "text.so").write_text("no library")
    said = load(custom, tmp_path / "text.so")
    assert f"The library of custom ops {tmp_path / 'text.so'} cannot be loaded" in said
    assert "build it against TensorFlow 2." in said
    assert "missing.so cannot be loaded" in load(custom, tmp_path / "missing.so")


def test_a_package_that_is_not_installed_is_named(tmp_path):
    model = write_model(tmp_path / "1", "Addons>Resampler")
    assert load(model) == (
        "Op type not registered 'Addons>Resampler': it is of tensorflow-addons, which is not "
        "installed: pip install tensorflow-addons | pip install tensorflow-addons"
    )


def test_a_package_is_imported_when_an_op_of_it_is_missing(tmp_path):
    """A package of that name which registers the op stands for the real one."""
    package = tmp_path / "site" / "tensorflow_addons"
    package.mkdir(parents=True)
    library = compile_library(tmp_path, SOURCE.replace("CloudserveTestSame", "Addons>Same"))
    (package / "__init__.py").write_text(
        f"import tensorflow as tf\ntf.load_library({str(library)!r})\n"
    )
    model = write_model(tmp_path / "1", "Addons>Same")
    assert load(model, PYTHONPATH=str(package.parent)) == "[1.0, 2.0]"


def test_a_package_that_cannot_be_imported_says_why(tmp_path):
    package = tmp_path / "site" / "tensorflow_addons"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('undefined symbol: _ZN10tensorflow')\n")
    said = load(write_model(tmp_path / "1", "Addons>Same"), PYTHONPATH=str(package.parent))
    assert "which cannot be imported: undefined symbol: _ZN10tensorflow" in said
