"""Small requests that declare much memory are refused before it is allocated (tracemalloc)."""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from cloudserve.local_server.codecs.examples import parse_examples
from cloudserve.local_server.codecs.room import MOST_UNFOLDED_BYTES, STRING_BYTES, Room
from cloudserve.local_server.codecs.tensor_proto import (
    TensorProtoError,
    from_tensor_proto,
    stated_bytes,
)
from cloudserve.local_server.protocols.tfserving.grpc.examples import read_examples
from cloudserve.local_server.protocols.tfserving.grpc.inputs import read_inputs
from cloudserve.local_server.runtime.tensorflow import import_tensorflow
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

MEGABYTE = 2**20
SMALL = 4 * MEGABYTE
WIDE = 2**31 - 1


@pytest.fixture(scope="module")
def messages():
    """TensorFlow's and TensorFlow Serving's messages, which import TensorFlow."""
    import_tensorflow()
    from tensorflow.core.framework import tensor_pb2
    from tensorflow_serving.apis import classification_pb2

    return tensor_pb2.TensorProto, classification_pb2.ClassificationRequest


@contextmanager
def peak_below(limit):
    """Fail when Python and numpy allocate more during the block, even for a moment."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit


def tensor(messages, dtype, shape, **values):
    proto = messages[0](dtype=dtype, **values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


HOSTILE = [
    ("DT_STRING", [16_000_000], {"string_val": [b"x" * 1000]}),
    ("DT_STRING", [300_000], {"string_val": [b"a", b"x" * 1000]}),
    ("DT_STRING", [2**23 + 1], {"string_val": [b""]}),
    ("DT_STRING", [2**23 + 1], {}),
    ("DT_STRING", [WIDE], {"tensor_content": b"\0" * 100}),
    ("DT_STRING", [0, WIDE], {}),
    ("DT_FLOAT", [WIDE], {"float_val": [1.0]}),
    ("DT_FLOAT", [2**26 + 1], {"float_val": [1.0, 2.0]}),
    ("DT_DOUBLE", [2**25 + 1], {"double_val": [1.0]}),
    ("DT_HALF", [2**27 + 1], {"half_val": [1]}),
    ("DT_BFLOAT16", [2**27 + 1], {"half_val": [1]}),
    ("DT_FLOAT8_E5M2", [2**28 + 1], {"float8_val": b"1"}),
    ("DT_INT8", [2**28 + 1], {"int_val": [1]}),
    ("DT_UINT16", [2**27 + 1], {"int_val": [1]}),
    ("DT_INT32", [2**26 + 1], {"int_val": [1]}),
    ("DT_INT64", [2**25 + 1], {"int64_val": [1]}),
    ("DT_UINT32", [2**26 + 1], {"uint32_val": [1]}),
    ("DT_UINT64", [2**25 + 1], {"uint64_val": [1]}),
    ("DT_BOOL", [2**28 + 1], {"bool_val": [True]}),
    ("DT_BOOL", [2**28 + 1], {}),
    ("DT_COMPLEX64", [2**25 + 1], {"scomplex_val": [1.0, 1.0]}),
    ("DT_COMPLEX128", [2**24 + 1], {"dcomplex_val": [1.0, 1.0]}),
    ("DT_QINT8", [2**28 + 1], {"int_val": [1]}),
    ("DT_QINT32", [2**26 + 1], {"int_val": [1]}),
    ("DT_FLOAT", [WIDE], {"tensor_content": b"1234"}),
    ("DT_FLOAT", [WIDE, 0], {}),
    ("DT_FLOAT", [0, 2**25 + 1], {}),
]


@pytest.mark.parametrize(("dtype", "shape", "values"), HOSTILE)
def test_a_shape_makes_no_more_than_a_request_may_take(messages, dtype, shape, values):
    proto = tensor(messages, dtype, shape, **values)
    assert proto.ByteSize() < 1200
    with peak_below(SMALL), pytest.raises(TensorProtoError):
        from_tensor_proto(proto)


def test_strings_count_with_what_they_hold(messages):
    room = Room(10 * STRING_BYTES + 9 * 100)
    proto = tensor(messages, "DT_STRING", [10], string_val=[b"x" * 100])
    assert from_tensor_proto(proto, room).tolist() == [b"x" * 100] * 10
    assert not room.take(1)
    with pytest.raises(TensorProtoError, match="1 values cannot stand for 10"):
        from_tensor_proto(proto, Room(10 * STRING_BYTES + 9 * 100 - 1))


def test_strings_that_no_shape_wants_are_not_made(messages):
    proto = tensor(messages, "DT_STRING", [1], string_val=[b""] * 10**6)
    with peak_below(MEGABYTE):
        assert from_tensor_proto(proto).tolist() == [b""]


def test_numbers_are_read_without_a_python_object_for_each(messages):
    proto = tensor(messages, "DT_INT8", [2 * 10**6], int_val=range(-1000, 2 * 10**6 - 1000))
    with peak_below(10 * MEGABYTE):
        array = from_tensor_proto(proto)
    assert array.tolist() == np.arange(-1000, 2 * 10**6 - 1000).astype(np.int8).tolist()


def test_the_inputs_of_a_request_share_one_room(messages):
    half = MOST_UNFOLDED_BYTES // 2
    wanted = Signature("s", "", tuple(TensorSpec(a, a, "bool", None) for a in "xyz"), ())
    inputs = {
        alias: tensor(messages, "DT_BOOL", [size], bool_val=[True])
        for alias, size in (("x", half), ("y", half), ("z", 2))
    }
    with pytest.raises(StatusError) as caught:
        read_inputs(wanted, inputs)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == "tensor parsing error: z"


@pytest.mark.parametrize(
    ("dtype", "shape", "values", "size"),
    [
        ("DT_FLOAT", [2, 3], {}, 24),
        ("DT_STRING", [4], {"string_val": [b"", b"abc"]}, 4 * (STRING_BYTES + 3)),
        ("DT_STRING", [4], {}, 4 * STRING_BYTES),
        ("DT_RESOURCE", [4], {}, 0),
        ("DT_FLOAT", [-1], {}, 0),
    ],
)
def test_the_bytes_of_a_stated_shape_are_counted_without_an_array(
    messages, dtype, shape, values, size
):
    assert stated_bytes(tensor(messages, dtype, shape, **values)) == size


def test_a_context_is_not_repeated_beyond_what_a_request_may_take(messages):
    request = messages[1]()
    listed = request.input.example_list_with_context
    listed.context.features.feature["c"].bytes_list.value.append(b"x" * 100_000)
    for _ in range(5000):
        listed.examples.add()
    with peak_below(SMALL), pytest.raises(StatusError) as caught:
        read_examples(request)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    size = listed.context.ByteSize()
    expected = f"5000 examples with a context of {size} bytes each take too much memory"
    assert caught.value.message == expected


def test_a_context_in_json_is_not_repeated_beyond_it_either():
    body = b'{"context": {"c": "%b"}, "examples": [%b{}]}' % (b"x" * 100_000, b"{}," * 5000)
    with peak_below(SMALL), pytest.raises(StatusError) as caught:
        parse_examples(body)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
