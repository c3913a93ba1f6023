"""Small requests of one turn: the arrays and texts of the general path, or none."""

import json

import numpy as np
import pytest
from cloudserve.local_server.codecs.json.layout import COMPACT, PRETTY
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.codecs.together import SmallRequests
from cloudserve.local_server.status import StatusError
from hypothesis import example, given
from hypothesis import strategies as st

from cloudserve.savedmodel.signature import Signature, TensorSpec

from .test_fast_and_exact import Pairs, dump, tensors

SMALL = 1000
SHAPES = [(None,), (None, 2), (None, 2, 2), (None, None), (None, 0), None]


def signature(dtype="float32", shape=(None, 2), names="x"):
    specs = tuple(TensorSpec(name, f"{name}:0", dtype, shape) for name in names)
    return Signature("serving_default", "", specs, ())


def read(bodies, wanted, layout=COMPACT):
    form = SmallRequests(SMALL, layout)
    return form, form.read(wanted, bodies)


def parts(rows):
    """Return the rows of each request by alias, None for one that is left out."""
    result, start = [], 0
    for size in rows.sizes:
        part = {name: array[start : start + size] for name, array in rows.inputs.items()}
        result.append(part if size else None)
        start += size
    return result


def comparable(arrays):
    return {name: (a.dtype, a.shape, repr(a.tolist())) for name, a in arrays.items()}


bodies = st.builds(
    lambda key, value, rest: dump(Pairs([(key, value), *rest])).encode(),
    st.sampled_from(["instances", "inputs"]),
    tensors(),
    st.lists(
        st.tuples(
            st.sampled_from(["signature_name", "instances", "inputs", "other"]),
            st.sampled_from(["serving_default", "", "x", 1, [1]]),
        ),
        max_size=2,
    ),
)
wanted = st.builds(
    signature, st.sampled_from(["float32", "int8", "uint64"]), st.sampled_from(SHAPES)
)


@given(st.lists(bodies, min_size=1, max_size=3), wanted)
@example([b'{"instances": [[1, [], [2]]]}'], signature(shape=(None, 3)))
@example([b'{"instances": [[1, 2]], "signature_name": "["}'], signature())
@example([b'{"instances": {"a": [1, 2]}}'], signature(shape=(None,)))
@example([b"[[1, 2]]"], signature())
@example([b'{"instances": [[1, 2], [3]]}', b'{"instances": [[1, 2]]}'], signature())
def test_rows_read_together_equal_those_of_the_general_path(requests, chosen):
    _, rows = read(requests, chosen)
    assert len(rows.sizes) == len(rows.by_row) == len(requests)
    for body, by_row, part in zip(requests, rows.by_row, parts(rows), strict=True):
        if part is not None:
            request = parse_request(body)
            assert request.signature_name in {"", chosen.name}
            assert request.by_row == by_row
            assert comparable(part) == comparable(request.decode(chosen))


def test_one_request_that_cannot_be_read_leaves_the_others_in():
    good = b'{"instances": [[1, 2]]}'
    bad = b'{"instances": [[1, "2"]]}'
    named = b'{"signature_name": "serving_default", "inputs": [[3, 4], [5, 6]]}'
    _, rows = read([good, bad, named, b"no JSON", b'{"instances": []}', good], signature())
    assert rows.sizes == [1, 0, 2, 0, 0, 1]
    assert rows.inputs["x"].tolist() == [[1, 2], [3, 4], [5, 6], [1, 2]]
    assert rows.inputs["x"].dtype == np.float32
    assert rows.by_row == [True, True, False, True, True, True]


def test_several_inputs_and_strings_are_read_too_in_equal_shapes():
    two = b'{"instances": [{"x": [1], "y": [2]}]}'
    longer = b'{"instances": [{"x": [1, 2], "y": [2, 3]}]}'
    _, rows = read([two, longer, two], signature(shape=(None, None), names="xy"))
    assert rows.sizes == [1, 0, 1]
    assert {name: array.tolist() for name, array in rows.inputs.items()} == {
        "x": [[1], [1]],
        "y": [[2], [2]],
    }
    _, rows = read([b'{"instances": ["a", "b"]}', b'{"instances": ["c"]}'], signature("string"))
    assert rows.sizes == [2, 1]
    assert rows.inputs["x"].tolist() == [b"a", b"b", b"c"]


def test_numbers_out_of_range_leave_all_to_the_general_path():
    _, rows = read([b'{"inputs": [1]}', b'{"inputs": [3000000000]}'], signature("int32", (None,)))
    assert rows.sizes == [0, 0]
    with pytest.raises(StatusError):
        parse_request(b'{"inputs": [3000000000]}').decode(signature("int32", (None,)))


def test_large_requests_and_answers_are_left_to_threads():
    row = json.dumps({"instances": [[1.5, 2]] * 200}).encode()
    small = b'{"instances": [[1, 2]]}'
    form, rows = read([row, small], signature())
    assert rows.sizes == [0, 1]
    # The first large answer is written, later requests of so many rows are left out.
    form.write(rows, [1], {"y": np.zeros((1, SMALL), np.float32)}, 1)
    assert form.read(signature(), [small]).sizes == [1]
    same = signature()
    form, rows = read([small], same)
    form.write(rows, [0], {"y": np.zeros((1, SMALL), np.float32)}, 1)
    assert form.read(same, [small]).sizes == [0]


OUTPUTS = {
    "numbers": {"y": np.array([1.5, -2, 3e10, 0.1], np.float32)},
    "lists": {"y": np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.int64)},
    "one in a list": {"y": np.array([[0.5], [1], [2], [3]])},
    "matrices": {"y": np.arange(16, dtype=np.float32).reshape(4, 2, 2)},
    "truth": {"y": np.array([True, False, True, True])},
    "halves": {"y": np.array([[1], [2], [3], [4]], np.float16)},
    "not finite": {"y": np.array([[1, np.nan], [np.inf, 2], [3, 4], [5, 6]], np.float32)},
    "strings": {"y": np.array([b"a", b"],[", b"\xff", b""], object)},
    "empty lists": {"y": np.zeros((4, 0), np.float32)},
    "several": {"y": np.arange(4.0), "z": np.array([[1], [2], [3], [4]])},
}


@pytest.mark.parametrize("layout", [COMPACT, PRETTY], ids=["compact", "pretty"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_answers_are_the_bytes_of_the_general_path(name, layout):
    outputs = OUTPUTS[name]
    requests = [
        b'{"instances": [[1, 2]]}',
        b"",
        b'{"inputs": [[1, 2], [1, 2]]}',
        b'{"inputs": [[1, 2]]}',
    ]
    form, rows = read(requests, signature(), layout)
    assert rows.sizes == [1, 0, 2, 1]
    expected = [
        layout.rows({alias: array[:1] for alias, array in outputs.items()}),
        layout.columns({alias: array[1:3] for alias, array in outputs.items()}),
        layout.columns({alias: array[3:] for alias, array in outputs.items()}),
    ]
    assert form.write(rows, [0, 2, 3], outputs, 1) == expected
