"""The fast path and the exact parser of predict requests: the same arrays and errors."""

import json

import pytest
from cloudserve.local_server.codecs.json import fast_path
from cloudserve.local_server.codecs.request import _parse_exactly, parse_request, scan_request
from cloudserve.local_server.status import StatusError
from hypothesis import example, given
from hypothesis import strategies as st

from cloudserve.savedmodel.signature import Signature, TensorSpec

DTYPES = [
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
    "string",
]


def signature(*dtypes):
    inputs = (TensorSpec(a, f"{a}:0", d, None) for a, d in zip("xy", dtypes, strict=False))
    return Signature("s", "", tuple(inputs), ())


def outcome(parse, body, wanted):
    """Return what a road makes of a request, comparable."""
    try:
        request = parse(body)
        arrays = request.decode(wanted)
    except StatusError as error:
        return error.code, error.message
    shapes = {name: (a.dtype, a.shape, repr(a.tolist())) for name, a in arrays.items()}
    return request.by_row, request.signature_name, shapes


def assert_same(body, wanted):
    assert outcome(parse_request, body, wanted) == outcome(_parse_exactly, body, wanted)


numbers = st.integers(-(2**65), 2**65) | st.integers(-300, 300) | st.floats()
scalars = numbers | st.booleans() | st.none() | st.text(max_size=2)


@st.composite
def tensors(draw):
    """Nested lists of a regular shape, now and then with something else in one place."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    leaves = draw(st.sampled_from([numbers, st.integers(-9, 9), st.floats(), st.booleans()]))
    value = fill(draw, shape, leaves)
    if draw(st.integers(0, 3)):
        return value
    holder = value
    while isinstance(holder, list) and holder:
        at = draw(st.integers(0, len(holder) - 1))
        if not isinstance(holder[at], list) or draw(st.booleans()):
            holder[at] = draw(scalars | st.lists(scalars, max_size=2) | st.just({"b64": "AA=="}))
            break
        holder = holder[at]
    return value


def fill(draw, shape, leaves):
    if not shape:
        return draw(leaves)
    return [fill(draw, shape[1:], leaves) for _ in range(shape[0])]


class Pairs(list):
    """The members of an object, which may repeat a key."""


def dump(value):
    """Write JSON, objects from their pairs."""
    if isinstance(value, Pairs):
        return f"{{{', '.join(f'{json.dumps(name)}: {dump(item)}' for name, item in value)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(dump, value))}]"
    return json.dumps(value)


def objects(values, names="xyz"):
    return st.lists(st.tuples(st.sampled_from(names), values), max_size=3).map(Pairs)


forms = tensors() | objects(tensors()) | st.lists(objects(tensors()), max_size=3)
members = st.tuples(
    st.sampled_from(["instances", "inputs", "signature_name"]), forms | st.text(max_size=2)
) | st.tuples(st.just("other"), tensors())
documents = st.lists(members, min_size=1, max_size=3)


@st.composite
def rows_of_objects(draw):
    """Rows that all have the same inputs, of lists of numbers mostly."""
    shapes = {name: draw(st.lists(st.integers(0, 3), max_size=2)) for name in "xy"}
    rows = [
        {
            name: fill(draw, shape, st.integers(-9, 9) | st.floats())
            for name, shape in shapes.items()
        }
        for _ in range(draw(st.integers(1, 3)))
    ]
    if draw(st.booleans()):
        draw(st.sampled_from(rows))[draw(st.sampled_from("xyz"))] = draw(tensors())
    return rows


@given(rows_of_objects(), st.lists(st.sampled_from(DTYPES), min_size=2, max_size=2))
def test_any_rows_of_objects_are_taken_alike(rows, dtypes):
    assert_same(json.dumps({"instances": rows}).encode(), signature(*dtypes))


@given(documents.map(Pairs), st.lists(st.sampled_from(DTYPES), max_size=2))
@example(Pairs([("inputs", Pairs())]), [])
def test_any_document_is_taken_alike(document, dtypes):
    assert_same(dump(document).encode(), signature(*dtypes))


@given(tensors(), st.sampled_from(["instances", "inputs"]), st.sampled_from(DTYPES))
def test_any_tensor_is_taken_alike(tensor, form, dtype):
    assert_same(json.dumps({form: tensor}).encode(), signature(dtype))


@given(st.dictionaries(st.sampled_from(["instances", "inputs"]), tensors()), st.data())
def test_any_broken_document_is_refused_alike(document, data):
    body = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from(
                [b"", b"[", b"]", b"{", b"}", b",", b":", b'"', b"-", b"e", b".", b"\\"]
            )
            | st.binary(max_size=2)
        )
    assert_same(bytes(body), signature("float32"))


@given(st.binary(max_size=20))
def test_any_bytes_are_taken_alike(body):
    assert_same(b'{"instances": [' + body, signature("float32"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": {"x": [1], "x": [2]}}',
        b'{"inputs": {"x": ["a"], "x": ["b"]}}',
        b'{"instances": [{"x": 1}, {"x": 2, "x": 3}]}',
        b'{"instances": [1], "instances": [2, 3]}',
        b'{"signature_name": "a", "signature_name": "b", "inputs": 1}',
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "string"])
def test_of_a_repeated_key_the_first_counts_on_both(body, dtype):
    assert_same(body, signature(dtype))


def test_of_a_repeated_key_the_first_counts():
    taken = parse_request(b'{"inputs": {"x": [1], "x": [2]}, "inputs": 3}')
    assert taken.decode(signature("float32"))["x"].tolist() == [1.0]


@pytest.mark.parametrize("depth", [63, 64, 65, 1000, 1024, 2000, 50_000])
def test_nesting_is_taken_alike(depth):
    for form in (b"instances", b"inputs"):
        body = b'{"%b": %b1%b}' % (form, b"[" * depth, b"]" * depth)
        assert_same(body, signature("float32"))


@given(st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1))
@example([[0.0] * 3])
def test_plain_numbers_do_take_the_fast_path(rows):
    if all(number - number == 0 for row in rows for number in row):
        assert scan_request(json.dumps({"instances": rows}).encode()) is not None


@pytest.mark.parametrize(("row", "shape"), [(b"1", ()), (b"[1]", (1,)), (b"[[],[]]", (2, 0))])
def test_any_count_of_plain_numbers_is_read(row, shape):
    body = b'{"instances": [%b%b]}' % ((row + b",") * 2**22, row)
    assert parse_request(body).decode(signature("float32"))["x"].shape == (2**22 + 1, *shape)


def test_a_list_of_more_than_simdjson_counts_is_read():
    body = b'{"instances": [%b1]}' % (b"1," * 2**24)
    assert parse_request(body).decode(signature("uint8"))["x"].shape == (2**24 + 1,)


@pytest.mark.parametrize(
    "instances",
    [
        "[[1, 2], [3], [4, 5, 6]]",
        "[[1], []]",
        "[[], [1]]",
        "[[1], 2]",
        "[1, [2]]",
        "[[[1]], [[]]]",
        "[[1, 2], [3, [4]]]",
        f"[{[1] * 1000}, {', '.join(['[1]'] * 1000)}]",
    ],
)
@pytest.mark.parametrize("rest", ["", ', "signature_name": "],["', ', "other": [1]'])
def test_ragged_lists_are_taken_alike(instances, rest):
    assert_same(f'{{"instances": {instances}{rest}}}'.encode(), signature("float32"))


def test_a_long_first_list_makes_nothing_of_its_length_times_the_others(monkeypatch):
    requests = []
    monkeypatch.setattr(fast_path, "_structure", requests.append)
    body = json.dumps({"instances": [[1] * 10_000] + [[1]] * 10_000}).encode()
    with pytest.raises(StatusError):
        parse_request(body).decode(signature("float32"))
    assert requests == []


@pytest.mark.parametrize("row", [b"[],[1],", b"[[null]],", b'{"x": [1]},', b'"",'])
def test_values_that_would_take_gigabytes_are_refused_before_they_are_made(row):
    body = b'{"instances": [%b%b]}' % (row * (2**22 + 1), row[:-1])
    with pytest.raises(StatusError) as caught:
        parse_request(body).decode(signature("float32"))
    assert caught.value.message == "JSON Parse error: Too many values."
