"""TensorProtos against TensorFlow's own: `make_tensor_proto`, `make_ndarray`, `constant`."""

import ml_dtypes
import numpy as np
import pytest
from cloudserve.local_server.codecs.tensor_proto import (
    TensorProtoError,
    copied_bytes,
    from_tensor_proto,
    to_tensor_proto,
)
from cloudserve.local_server.status import Code, StatusError
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "bfloat16": "half_val",
    "float8_e5m2": "float8_val",
    "float8_e4m3fn": "float8_val",
}
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@pytest.fixture(scope="session")
def tf():
    from cloudserve.local_server.runtime.tensorflow import import_tensorflow

    return import_tensorflow()


@pytest.fixture(scope="session")
def tensor_proto(tf):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    return TensorProto


def numbers(name):
    if not hasattr(ml_dtypes, name):
        return hnp.arrays(np.dtype(name), SHAPES)
    dtype = np.dtype(getattr(ml_dtypes, name))
    bits = np.dtype(f"uint{8 * dtype.itemsize}")  # hypothesis does not know these types
    return hnp.arrays(bits, SHAPES).map(lambda array: array.view(dtype))


def strings():
    return hnp.arrays(object, SHAPES, elements=st.binary(max_size=9))


ARRAYS = st.one_of(*map(numbers, FIELDS), strings())


def same(one, other):
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype.hasobject:
        assert one.tolist() == other.tolist()
    else:
        assert one.tobytes() == other.tobytes()


def written(tensor_proto, array, **options):
    proto = tensor_proto()
    to_tensor_proto(array, proto, **options)
    return proto


@given(array=ARRAYS)
def test_tensors_that_tensorflow_writes_are_read(tf, array):
    proto = tf.make_tensor_proto(array, dtype=array.dtype)
    same(from_tensor_proto(proto), array)


@given(array=ARRAYS, as_content=st.booleans())
def test_tensorflow_reads_the_written_tensors(tf, tensor_proto, array, as_content):
    proto = written(tensor_proto, array, as_content=as_content)
    same(tf.make_ndarray(tensor_proto.FromString(proto.SerializeToString())), array)


@given(array=ARRAYS, as_content=st.booleans())
def test_written_tensors_are_read_back(tensor_proto, array, as_content):
    same(from_tensor_proto(written(tensor_proto, array, as_content=as_content)), array)


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_a_type_is_written_into_its_field(tensor_proto, name, field):
    array = np.ones(2, getattr(ml_dtypes, name, None) or name)
    proto = written(tensor_proto, array)
    assert {f.name for f, _ in proto.ListFields()} == {"dtype", "tensor_shape", field}


def test_as_content_numbers_are_bytes_and_strings_stay_strings(tensor_proto):
    assert written(tensor_proto, np.array([1, 2], np.int16), as_content=True).tensor_content == (
        b"\x01\0\x02\0"
    )
    proto = written(tensor_proto, np.array([b"a"], object), as_content=True)
    assert (proto.string_val, proto.tensor_content) == ([b"a"], b"")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array(["é", "a"]), ["é".encode(), b"a"]),
        (np.array([b"a", b"bc"]), [b"a", b"bc"]),
        (np.array(["x", b"y"], object), [b"x", b"y"]),
    ],
)
def test_text_and_fixed_bytes_are_strings(tensor_proto, array, expected):
    assert list(written(tensor_proto, array).string_val) == expected


def test_arrays_that_are_not_in_order_in_memory_are_written_in_order(tensor_proto):
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1]
    for as_content in (False, True):
        same(from_tensor_proto(written(tensor_proto, array, as_content=as_content)), array.copy())


@pytest.mark.parametrize("name", ["qint8", "quint8", "qint16", "quint16", "qint32"])
def test_quantized_types_go_there_and_back(tf, tensor_proto, name):
    dtype = tf.dtypes.as_dtype(name).as_numpy_dtype
    array = np.array([(1,), (2,)], dtype)
    proto = written(tensor_proto, array)
    assert (proto.dtype, list(proto.int_val)) == (tf.dtypes.as_dtype(name).as_datatype_enum, [1, 2])
    same(from_tensor_proto(proto), array)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
    ("name", "values"),
    [("int4", [-8, 0, 7]), ("uint4", [0, 15, 8]), ("int2", [-2, 1]), ("uint2", [0, 3])],
)
def test_integers_of_less_than_a_byte_go_there_and_back(tf, tensor_proto, name, values, as_content):
    types = tensor_proto.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_name
    if f"DT_{name.upper()}" not in types:
        pytest.skip(f"TensorFlow {tf.__version__} has no {name}")
    dtype = tf.dtypes.as_dtype(name)
    array = np.array(values, np.int8).astype(dtype.as_numpy_dtype)
    proto = written(tensor_proto, array, as_content=as_content)
    assert proto == tf.make_tensor_proto(array)
    same(from_tensor_proto(proto), array)


@pytest.mark.parametrize("dtype", [np.dtype("datetime64[s]"), np.dtype([("a", int)])])
def test_an_array_that_no_field_takes_is_reported(tensor_proto, dtype):
    with pytest.raises(StatusError) as caught:
        written(tensor_proto, np.zeros(1, dtype))
    assert caught.value.code is Code.UNIMPLEMENTED


# Fewer values than the shape has, and more. TensorFlow reads constants of graphs by `FromProto`.


def proto_of(tensor_proto, dtype, shape, **fields):
    proto = tensor_proto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def as_tensorflow_reads(tf, proto):
    return tf.io.parse_tensor(proto.SerializeToString(), tf.dtypes.as_dtype(proto.dtype)).numpy()


@pytest.mark.parametrize(
    ("dtype", "fields", "expected"),
    [
        ("DT_FLOAT", {"float_val": [2]}, [2, 2, 2]),
        ("DT_FLOAT", {"float_val": [1, 2]}, [1, 2, 2]),
        ("DT_FLOAT", {"float_val": [1, 2, 3, 4]}, [1, 2, 3]),
        ("DT_FLOAT", {}, [0, 0, 0]),
        ("DT_FLOAT", {"int_val": [7]}, [0, 0, 0]),
        ("DT_BOOL", {"bool_val": [True]}, [True, True, True]),
        ("DT_INT8", {"int_val": [300, -129]}, [44, 127, 127]),
        ("DT_UINT16", {"int_val": [-1]}, [65535] * 3),
        ("DT_HALF", {"half_val": [0x3C00]}, [1, 1, 1]),
        ("DT_BFLOAT16", {"half_val": [0x3F80, 0x4000]}, [1, 2, 2]),
        ("DT_COMPLEX64", {"scomplex_val": [1, 2]}, [1 + 2j] * 3),
        ("DT_STRING", {"string_val": [b"a", b"b"]}, [b"a", b"b", b"b"]),
        ("DT_STRING", {}, [b"", b"", b""]),
        ("DT_STRING", {"tensor_content": b"\1\0\2abc"}, [b"a", b"", b"bc"]),
        ("DT_INT32", {"tensor_content": bytes(12), "int_val": [5]}, [0, 0, 0]),
    ],
)
def test_values_are_fitted_to_the_shape_as_tensorflow_does(
    tf, tensor_proto, dtype, fields, expected
):
    proto = proto_of(tensor_proto, dtype, [3], **fields)
    assert from_tensor_proto(proto).tolist() == expected
    assert as_tensorflow_reads(tf, proto).tolist() == expected


@given(lengths=st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_strings_as_content_are_lengths_and_bytes(tf, tensor_proto, lengths):
    texts = [bytes([65 + i]) * length for i, length in enumerate(lengths)]
    sizes = b"".join(bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in lengths)
    proto = proto_of(tensor_proto, "DT_STRING", [len(texts)])
    proto.tensor_content = sizes + b"".join(texts)
    assert from_tensor_proto(proto).tolist() == texts
    assert as_tensorflow_reads(tf, proto).tolist() == texts


def test_bytes_other_than_0_and_1_are_true(tensor_proto):
    proto = proto_of(tensor_proto, "DT_BOOL", [3], tensor_content=b"\0\1\2")
    assert from_tensor_proto(proto).view(np.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("dtype", "shape", "fields"),
    [
        ("DT_INVALID", [1], {"float_val": [1]}),
        ("DT_RESOURCE", [1], {}),
        ("DT_VARIANT", [1], {}),
        ("DT_FLOAT_REF", [1], {"float_val": [1]}),
        (999, [1], {}),
        ("DT_INVALID", [0], {}),
        ("DT_FLOAT", [-1], {"float_val": [1]}),
        ("DT_FLOAT", [2], {"tensor_content": b"1234567"}),
        ("DT_FLOAT", [1] * 65, {"float_val": [1]}),
        ("DT_FLOAT", [2**62, 4], {"float_val": [1]}),
        ("DT_FLOAT", [2**40, 0], {}),
        ("DT_FLOAT", [2**30], {"float_val": [1]}),
        ("DT_STRING", [2**30], {"string_val": [b"x"]}),
        ("DT_COMPLEX64", [1], {"scomplex_val": [1, 2, 3]}),
        ("DT_STRING", [2], {"tensor_content": b"\1\2ab"}),
        ("DT_STRING", [2], {"tensor_content": b"\1"}),
        ("DT_STRING", [1], {"tensor_content": b"\xff" * 12}),
    ],
)
def test_an_invalid_tensor_is_refused(tensor_proto, dtype, shape, fields):
    with pytest.raises(TensorProtoError):
        from_tensor_proto(proto_of(tensor_proto, dtype, shape, **fields))


def test_a_shape_of_unknown_rank_is_refused(tensor_proto):
    proto = tensor_proto(dtype="DT_FLOAT", float_val=[1])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(TensorProtoError):
        from_tensor_proto(proto)


@given(
    dtype=st.integers(-1, 140),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4),
    content=st.binary(max_size=24),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "float_val": st.lists(st.floats(width=32), max_size=3),
            "half_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
            "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
            "string_val": st.lists(st.binary(max_size=3), max_size=3),
            "dcomplex_val": st.lists(st.floats(), max_size=3),
            "float8_val": st.binary(max_size=3),
        },
    ),
)
def test_any_tensor_proto_is_a_tensor_of_its_shape_or_refused(
    tensor_proto, dtype, shape, content, fields
):
    proto = proto_of(tensor_proto, dtype, shape, tensor_content=content, **fields)
    try:
        array = from_tensor_proto(proto)
    except TensorProtoError:
        return
    assert array.shape == tuple(shape)


@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_tensor_or_refused(tensor_proto, data):
    try:
        array = from_tensor_proto(tensor_proto.FromString(data))
    except (DecodeError, TensorProtoError):
        return
    assert isinstance(array, np.ndarray)


@pytest.mark.parametrize(("size", "is_taken"), [(2**26, True), (2**26 + 1, False)])
def test_a_value_that_means_many_unfolds_to_so_much_at_most(tensor_proto, size, is_taken):
    proto = proto_of(tensor_proto, "DT_FLOAT", [size], float_val=[1.5])
    if is_taken:
        assert from_tensor_proto(proto)[-1] == 1.5
    else:
        with pytest.raises(TensorProtoError, match=f"1 values cannot stand for {size}"):
            from_tensor_proto(proto)


@pytest.mark.parametrize("name", FIELDS)
def test_numbers_are_copied_if_they_are_in_no_typed_field(tensor_proto, name):
    array = np.zeros(3, getattr(ml_dtypes, name, None) or name)
    copied = written(tensor_proto, array, as_content=True)
    assert copied_bytes([copied, copied]) == 2 * array.nbytes
    assert copied_bytes([copied, written(tensor_proto, array)]) == 0


def test_strings_are_never_copied(tensor_proto):
    array = np.array([b"a"], object)
    assert copied_bytes([written(tensor_proto, array, as_content=True)]) == 0


def test_many_tensors_are_not_looked_at(tensor_proto):
    assert copied_bytes([written(tensor_proto, np.zeros(3), as_content=True)] * 65) == 0
