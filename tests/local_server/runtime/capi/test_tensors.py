"""Arrays become tensors and come back: every type, every shape, every order in memory."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.runtime.capi import tensors
from cloudserve.local_server.runtime.capi.buffers import Lent
from cloudserve.local_server.runtime.capi.library import library
from cloudserve.local_server.runtime.capi.status import OpError, Status
from cloudserve.local_server.runtime.capi.tensors import new_tensor, take_array
from cloudserve.local_server.runtime.dtypes import STRING, base_number, numpy_dtype
from cloudserve.local_server.status import Code
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from tensorflow.core.framework import types_pb2

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name

FLOAT = 1
IN_PROCESS = {"resource", "variant"}
KNOWN = set(types_pb2.DataType.values())
"""The types of the installed TensorFlow: those of two bits, and some of a byte, are new in 2.21."""
VALUES = [n for n in PROTO_NAMES if 0 < n < 100 and n in KNOWN and dtype_name(n) not in IN_PROCESS]
NUMBERS = [number for number in VALUES if number != STRING]
# Elements of less than a byte: each takes one, and its upper bits count for nothing.
WHOLE_BYTES = [n for n in NUMBERS if dtype_name(n) not in {"int4", "uint4", "int2", "uint2"}]
PLAIN = [number for number in WHOLE_BYTES if not numpy_dtype(number).names]
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def there_and_back(array, number):
    return take_array(new_tensor(array, number), number)


def from_proto(proto, number):
    """Return the array of the tensor that TensorFlow makes of a TensorProto."""
    functions, status, lent = library(), Status(), Lent(proto.SerializeToString())
    pointer = functions.TF_AllocateTensor(4, None, 0, 1)
    functions.TF_TensorFromProto(lent.buffer, pointer, status.pointer)
    status.check()
    return take_array(pointer, number)


def words(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@st.composite
def numbers(draw):
    number = draw(st.sampled_from(WHOLE_BYTES))
    dtype, shape = numpy_dtype(number), draw(SHAPES)
    size = int(np.prod(shape)) * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size))
    if dtype == np.bool_:
        data = bytes(byte & 1 for byte in data)
    return number, np.frombuffer(data, dtype).reshape(shape)


@given(numbers(), st.booleans())
def test_numbers_come_back_to_the_bit_however_they_are_in_memory(case, is_reversed):
    number, array = case
    original = array[::-1].T if is_reversed and array.ndim else array
    got = there_and_back(original, number)
    assert (got.dtype, got.shape) == (original.dtype, original.shape)
    assert got.tobytes() == original.tobytes()


@given(st.lists(st.binary(max_size=60), max_size=30), st.booleans())
def test_strings_come_back_whatever_bytes_they_have(values, in_rows):
    array = words(*values)
    if in_rows:
        array = np.stack([array, array[::-1]]).T
    got = there_and_back(array, STRING)
    assert got.shape == array.shape
    assert got.tolist() == array.tolist()


@pytest.mark.parametrize("number", VALUES, ids=dtype_name)
def test_every_type_is_the_one_that_tensorflows_python_has(number):
    if number != STRING:
        assert tf.dtypes.as_dtype(number).size == numpy_dtype(number).itemsize
    assert np.dtype(tf.dtypes.as_dtype(number).as_numpy_dtype) == numpy_dtype(number)
    assert base_number(number + 100) == number


@pytest.mark.parametrize(
    "number", [n for n in WHOLE_BYTES if not numpy_dtype(n).names], ids=dtype_name
)
def test_a_tensor_that_tensorflow_makes_of_the_same_array_is_the_same(number):
    array = np.arange(6).reshape(2, 3).astype(numpy_dtype(number))
    theirs = from_proto(tf.make_tensor_proto(array), number)
    assert (theirs.dtype, theirs.shape) == (array.dtype, array.shape)
    assert theirs.tobytes() == there_and_back(array, number).tobytes()


def test_strings_that_tensorflow_makes_are_the_same():
    values = [b"", b"\x00", b"of 22 bytes, exactly 22", b"of 22 bytes, exactly22", b"long" * 999]
    array = words(*values).reshape(5, 1)
    theirs = from_proto(tf.make_tensor_proto(array), STRING)
    assert theirs.tolist() == array.tolist()
    assert there_and_back(array, STRING).tolist() == array.tolist()


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_numbers_of_four_bits_take_a_byte_each(name):
    number = next(n for n in NUMBERS if dtype_name(n) == name)
    array = np.array([0, 1, 7], numpy_dtype(number))
    assert there_and_back(array, number).tolist() == array.tolist()


def test_text_and_bytes_of_a_fixed_width_are_strings_too():
    assert there_and_back(words("ä", b"b"), STRING).tolist() == ["ä".encode(), b"b"]
    assert there_and_back(np.array([b"a", b"bc"]), STRING).tolist() == [b"a", b"bc"]


@pytest.mark.parametrize(("odd", "kind"), [(None, "NoneType"), (3.5, "float"), ([b"a"], "list")])
def test_an_object_that_is_no_string_is_refused_in_tensorflows_words(odd, kind):
    with pytest.raises(OpError) as caught:
        new_tensor(words(b"a", odd), STRING)
    assert caught.value.error_code == Code.INVALID_ARGUMENT
    assert caught.value.message == f"Unsupported object type {kind}"


@pytest.mark.parametrize("size", [3, 5000])
def test_an_array_that_is_changed_leaves_its_tensor_as_it_was(size):
    array = np.zeros(size, np.float32)
    pointer = new_tensor(array, FLOAT)
    array[:] = 1
    assert set(take_array(pointer, FLOAT)) == {0}


def test_a_large_tensor_is_seen_in_place_read_only_as_long_as_a_part_of_it_is():
    array = np.arange(5000, dtype=np.float32)
    pointer = new_tensor(array, FLOAT)
    place = library().TF_TensorData(pointer)
    observed = take_array(pointer, FLOAT)
    assert observed.ctypes.data == place
    with pytest.raises(ValueError, match="read-only"):
        observed[0] = 1
    part = observed[10:20]
    del observed
    gc.collect()
    assert part.tolist() == array[10:20].tolist()


def test_a_large_tensor_is_freed_with_the_last_array_that_sees_it(monkeypatch):
    freed = []
    monkeypatch.setattr(tensors.Handle, "__del__", lambda self: freed.append(self.pointer))
    pointer = new_tensor(np.zeros(5000, np.float32), FLOAT)
    part = take_array(pointer, FLOAT)[5:]
    assert freed == []
    del part
    assert freed == [pointer]
