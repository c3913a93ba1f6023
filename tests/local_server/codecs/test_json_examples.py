"""JSON examples to serialized tf.Examples, compared with TensorFlow's own messages."""

import base64
import json

import pytest
from cloudserve.local_server.codecs.examples import parse_examples
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

NO_EXAMPLES = "When method is classify, key 'examples' is expected and was not found"


def parse(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_examples(body)


def features(document):
    """Return the features of the first example as TensorFlow reads them: name -> kind, values."""
    from tensorflow.core.example.example_pb2 import Example

    example = Example.FromString(parse(document).examples[0])
    result = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        result[name] = kind and (kind, list(getattr(feature, kind).value))
    return result


def refusal(document):
    with pytest.raises(StatusError) as caught:
        parse(document)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, ("int64_list", [1])),
        ([1, True, False, -1], ("int64_list", [1, 1, 0, -1])),
        ([2**63 - 1, -(2**63)], ("int64_list", [2**63 - 1, -(2**63)])),
        (1.0, ("float_list", [1.0])),
        ([0.5, -0.5], ("float_list", [0.5, -0.5])),
        ("a", ("bytes_list", [b"a"])),
        (["é", {"b64": "AP8="}], ("bytes_list", ["é".encode(), b"\x00\xff"])),
        ([], None),
    ],
)
def test_how_a_value_is_written_decides_the_kind_of_its_feature(value, expected):
    assert features({"examples": [{"x": value}]}) == {"x": expected}


def test_numbers_beyond_a_float_and_beyond_64_bits_are_infinite_or_floats():
    body = b'{"examples": [{"x": [1e39, Infinity, 36893488147419103232]}]}'
    assert features(body) == {"x": ("float_list", [float("inf"), float("inf"), 2.0**65])}


def test_of_a_repeated_feature_the_last_counts_and_of_a_repeated_key_the_first():
    body = b'{"examples": [{"x": 1, "x": 2}], "examples": [{"x": 3}]}'
    assert features(body) == {"x": ("int64_list", [2])}


def test_the_context_is_merged_into_each_example_and_gives_way():
    document = {"context": {"a": 1, "b": 1}, "examples": [{"b": 2}]}
    assert features(document) == {"a": ("int64_list", [1]), "b": ("int64_list", [2])}


def test_the_signature_is_named_or_the_default():
    assert parse({"examples": [{}], "signature_name": "s"}).signature_name == "s"
    assert parse({"examples": [{}]}).signature_name == ""


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: Missing a name for object member. at offset: 1"),
        ([], "JSON Value: [] Is not object"),
        ({}, f"JSON Value: {{}} {NO_EXAMPLES}"),
        (
            {"examples": 1},
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
        ),
        (
            {"examples": []},
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
        ),
        (
            {"signature_name": 1},
            (
                'JSON Value: {\n    "signature_name": 1\n} not formatted correctly. '
                "'signature_name' key must be a string value."
            ),
        ),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"context": [], "examples": [{}]}, "Example must be JSON object but got JSON Array"),
        (
            {"examples": [{"x": None}]},
            "Feature: x has element with unexpected JSON type: Null",
        ),
        (
            {"examples": [{"x": {"y": 1}}]},
            "Feature: x has element with unexpected JSON type: Object",
        ),
        (
            {"examples": [{"x": [[1]]}]},
            "Feature: x has element with unexpected JSON type: Array",
        ),
        (
            {"examples": [{"x": [1, 1.5]}]},
            "Unexpected element type in feature: x expecting type: int64",
        ),
        (
            {"examples": [{"x": [1.5, "a"]}]},
            "Unexpected element type in feature: x expecting type: float",
        ),
        (
            {"examples": [{"x": ["a", 1]}]},
            "Unexpected element type in feature: x expecting type: bytes",
        ),
        (
            {"examples": [{"x": 2**63}]},
            "Feature: x has uint64_t element. Only int64_t is supported.",
        ),
        ({"examples": [{"x": {"b64": "-"}}]}, "Unable to base64 decode"),
    ],
)
def test_a_body_that_is_not_a_list_of_examples_is_refused(document, text):
    assert refusal(document) == text


def test_an_example_of_any_depth_is_refused_in_good_time():
    body = b'{"examples": [{"x": %b%b}]}' % (b"[" * 100_000, b"]" * 100_000)
    assert refusal(body) == "Feature: x has element with unexpected JSON type: Array"


kinds = {
    "int64_list": st.integers(-(2**63), 2**63 - 1),
    "float_list": st.floats(width=32, allow_nan=False),
    "bytes_list": st.binary(max_size=4),
}
any_features = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=3),
    st.one_of(
        *(st.tuples(st.just(k), st.lists(v, min_size=1, max_size=4)) for k, v in kinds.items())
    ),
    max_size=4,
)


@given(any_features)
def test_any_features_are_read_by_tensorflow_as_they_were(given_features):
    def as_json(value):
        is_bytes = isinstance(value, bytes)
        return {"b64": base64.b64encode(value).decode()} if is_bytes else value

    example = {name: [as_json(v) for v in values] for name, (_, values) in given_features.items()}
    assert features({"examples": [example]}) == given_features


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(
    nested | st.fixed_dictionaries({"examples": st.lists(st.dictionaries(st.text(), nested))}),
    st.booleans(),
)
def test_any_json_is_examples_or_a_clients_error(document, ascii_only):
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        examples = parse(body).examples
    except StatusError as error:
        assert error.code is Code.INVALID_ARGUMENT
    else:
        assert all(isinstance(example, bytes) for example in examples)
