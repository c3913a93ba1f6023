"""What the files say of kernels is what a session of TensorFlow does."""

from __future__ import annotations

import numpy as np
import pytest
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import StatusError

from cloudserve.savedmodel import read_saved_model
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_table import read_table

GONE = "BoostedTreesBucketize"
MESSAGE = f"^No OpKernel was registered to support Op '{GONE}'"
X = np.array([3.0, 4.0], np.float32)


@pytest.fixture(scope="module")
def tf():
    import tensorflow as tf

    return tf


@pytest.fixture(scope="module")
def version(tf):
    return ".".join(tf.__version__.split(".")[:2])


@pytest.fixture(scope="module")
def signatures(tf):
    """Give functions, of which some need the op without a kernel."""

    def gone(x):
        call = tf.raw_ops.BoostedTreesBucketize
        return tf.cast(call(float_values=[x], bucket_boundaries=[[1.0]])[0], x.dtype)

    def unused(x):
        gone(x)
        return x

    @tf.function(jit_compile=True)
    def of_xla(x):
        return tf.raw_ops.SegmentSumV2(data=x, segment_ids=[0, 0], num_segments=1)

    return {
        "plain": lambda x: x,
        "direct": gone,
        "branch": lambda x: tf.cond(tf.reduce_sum(x) > 1e9, lambda: gone(x), lambda: x),
        "unused": unused,
        "compiled": of_xla,
        "replaced": lambda x: tf.raw_ops.AccumulateNV2(inputs=[x, x], shape=[2]),
    }


@pytest.fixture
def saved(tf, signatures, tmp_path):
    """Save a model with these signatures."""

    def save(*names):
        spec = tf.TensorSpec([2], tf.float32, name="x")
        made = {name: tf.function(signatures[name], input_signature=[spec]) for name in names}
        tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures=made)
        return tmp_path / "1"

    return save


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("direct", (GONE,)),
        ("branch", (GONE,)),
        ("unused", ()),
        ("compiled", ()),
        ("replaced", ()),
    ],
)
def test_a_signature_fails_if_the_files_say_that_a_kernel_is_missing(name, lacking, saved, version):
    path = saved("plain", name)
    ops = read_saved_model(path).kernel_ops
    assert read_kernel_table().lacking(ops, version) == lacking
    model = load_model(path)
    assert model.run("plain", {"x": X})
    if lacking:
        with pytest.raises(StatusError, match=MESSAGE):
            model.run(name, {"x": X})
    else:
        assert model.run(name, {"x": X})
    model.close()


def test_an_image_whose_tensorflow_has_no_kernel_fails_the_load(saved):
    path = saved("plain", "direct")
    with pytest.raises(LoadError, match=f"{MESSAGE} in TensorFlow 2.9"):
        load_model(path, image=ServingImage("2.9"))
    load_model(path, image=ServingImage("2.8")).close()
    load_model(path, image=ServingImage("2.9", may_bring_ops=True)).close()


def test_the_kernels_of_the_installed_tensorflow_are_those_of_the_table(tf, version):
    from tensorflow.python.framework import kernels

    registered = kernels.get_all_registered_kernels().kernel
    on_cpu = {one.op for one in registered if one.device_type in {"CPU", "DEFAULT"}}
    without = read_kernel_table().without.versions[version]
    # To 2.18, Python loads SobolSample's kernel from its own library, libtfkernel_sobol_op.so.
    in_python = {"EagerPyFunc", "PyFunc", "PyFuncStateless", "SobolSample"}
    assert without & on_cpu == in_python & without
    assert read_table().versions[version] - without - on_cpu == set()
