"""The exact JSON parser: accepted documents, and rapidjson's texts."""

import json
import math

import pytest
from cloudserve.local_server.codecs.json import reader
from cloudserve.local_server.codecs.json.reader import _Reader, parse_exactly, parse_json
from cloudserve.local_server.status import Code, StatusError
from hypothesis import example, given
from hypothesis import strategies as st


def refusal(body):
    with pytest.raises(StatusError) as caught:
        parse_json(body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_an_empty_body_is_an_empty_document():
    assert refusal(b"") == "JSON Parse error: The document is empty"


@pytest.mark.parametrize(
    ("body", "text", "offset"),
    [
        (b"  ", "The document is empty.", 2),
        (b"}", "The document is empty.", 0),
        (b"\x00", "The document is empty.", 0),
        (b"foo", "Invalid value.", 1),
        (b"trve", "Invalid value.", 2),
        (b"nul", "Invalid value.", 3),
        (b"x", "Invalid value.", 0),
        (b"-x", "Invalid value.", 1),
        (b"[", "Invalid value.", 1),
        (b"[1,]", "Invalid value.", 3),
        (b"[,1]", "Invalid value.", 1),
        (b'{"a":}', "Invalid value.", 5),
        (b'{"a":', "Invalid value.", 5),
        (b"{", "Missing a name for object member.", 1),
        (b"{1:2}", "Missing a name for object member.", 1),
        (b'{"a":1,}', "Missing a name for object member.", 7),
        (b'{"a"', "Missing a colon after a name of object member.", 4),
        (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
        (b'{"a":1', "Missing a comma or '}' after an object member.", 6),
        (b'{"a":1 "b":2}', "Missing a comma or '}' after an object member.", 7),
        (b'{"a":1]', "Missing a comma or '}' after an object member.", 6),
        (b"[1", "Missing a comma or ']' after an array element.", 2),
        (b"[1 2]", "Missing a comma or ']' after an array element.", 3),
        (b"[01]", "Missing a comma or ']' after an array element.", 2),
        (b"[1\x002]", "Missing a comma or ']' after an array element.", 2),
        (rb'["\u12G4"]', "Incorrect hex digit after \\u escape in string.", 2),
        (rb'["\ud800"]', "The surrogate pair in string is invalid.", 2),
        (rb'["\ud800\u0041"]', "The surrogate pair in string is invalid.", 2),
        (rb'["\udc80"]', "The surrogate pair in string is invalid.", 2),
        (rb'["\x"]', "Invalid escape character in string.", 2),
        (b'["abc', "Missing a closing quotation mark in string.", 5),
        (b'["a\nb"]', "Invalid encoding in string.", 3),
        (b"[1e400]", "Number too big to be stored in double.", 1),
        (b"[-1e400]", "Number too big to be stored in double.", 1),
        (b"[" + b"9" * 5000 + b"]", "Number too big to be stored in double.", 1),
        (b"[1.]", "Miss fraction part in number.", 3),
        (b"[1.e5]", "Miss fraction part in number.", 3),
        (b"[1e]", "Miss exponent in number.", 3),
        (b"[1.5E+]", "Miss exponent in number.", 6),
    ],
)
def test_malformed_json_is_reported_with_rapidjsons_text_and_offset(body, text, offset):
    assert refusal(body) == f"JSON Parse error: {text} at offset: {offset}"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[Infinity, -Infinity, Inf, -Inf]", [math.inf, -math.inf, math.inf, -math.inf]),
        (b'{"a": 1} and then anything \xff', {"a": 1}),
        (b"[1][2", [1]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'["\xff\xfe"]', ["\udcff\udcfe"]),
        (
            rb'["\ud83d\ude00 \u00e9 \" \\ \/ \b\f\n\r\t"] .',
            ['😀 é " \\ / \b\f\n\r\t'],
        ),
        (
            b'[{}, [], {"a": {"b": [true, false, null]}}] .',
            [{}, [], {"a": {"b": [True, False, None]}}],
        ),
        (b"[18446744073709551615, -9223372036854775808] .", [2**64 - 1, -(2**63)]),
        (b"[18446744073709551616, -9223372036854775809] .", [2.0**64, -(2.0**63)]),
        (b"[1e2, 1E+2, 1.5, -0.0, 0] .", [100.0, 100.0, 1.5, -0.0, 0]),
    ],
)
def test_rapidjsons_extensions_of_json_are_read_alike(body, value):
    read = parse_json(body)
    assert read == value
    assert repr(read) == repr(value)


def test_nan_is_a_number():
    not_numbers = parse_json(b"[NaN, -NaN]")
    assert all(math.isnan(number) for number in not_numbers)


def test_nesting_may_be_deep():
    depth = 200_000
    value = parse_json(b"[" * depth + b"]" * depth)
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


def test_nesting_that_never_closes_is_refused():
    assert refusal(b"[" * 200_000) == "JSON Parse error: Invalid value. at offset: 200000"


def test_a_document_of_too_many_tokens_for_the_exact_parser_is_refused(monkeypatch):
    monkeypatch.setattr(reader, "_MOST_TOKENS", 9)
    assert parse_json(b'[NaN, {"a": 1}]x')[1] == {"a": 1}
    assert refusal(b'[NaN, "", {"a": 1}]x') == "JSON Parse error: Too many values. at offset: 17"


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'"",'])
def test_values_that_would_take_gigabytes_are_refused_before_they_are_made(unit):
    body = b"[%b0]" % (unit * 2**22 + unit)
    assert refusal(body) == "JSON Parse error: Too many values."


def test_nesting_that_would_take_gigabytes_is_refused_where_it_passes_a_million():
    assert refusal(b"[" * 2**21) == "JSON Parse error: Nested too deeply. at offset: 1048576"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_the_exact_parser_reads_what_the_fast_one_reads(value, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert repr(_Reader(body).read()) == repr(value)


@given(st.binary())
@example(b"\xed\xa0\x80")
def test_any_bytes_are_a_value_or_an_invalid_argument(body):
    try:
        parse_json(body)
    except StatusError as error:
        assert error.code is Code.INVALID_ARGUMENT


@given(st.text(alphabet='{}[]",:0123456789.eE+-\\utrfalsn \n', max_size=40))
def test_both_parsers_read_or_refuse_any_text_alike(text):
    body = text.encode()
    try:
        value = parse_json(body)
    except StatusError:
        with pytest.raises(StatusError):
            _Reader(body).read()
    else:
        assert repr(_Reader(body).read()) == repr(value)


number_texts = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.sampled_from(
        ["Inf", "-NaN", "1e400", "-1e400", "01", "1.", "-0", "9" * 5000, "Na", "", "-"]
    ),
)


@given(st.lists(number_texts, max_size=4), st.sampled_from([",", " , ", ",\n"]))
def test_a_list_of_numbers_is_read_at_once_as_it_is_one_by_one(texts, comma):
    numbers = comma.join(texts)

    def outcome(body):
        try:
            return repr(parse_exactly(body.encode()))
        except StatusError as error:
            return error.message

    # A string among them makes the reader look at each.
    together, alone = outcome(f"[{numbers}]"), outcome(f'[{numbers}{comma * bool(texts)}""]')
    if alone.startswith("["):
        assert together == alone.replace(f"{', ' * bool(texts)}''", "")
    else:
        assert together.partition(" at ")[0] == alone.partition(" at ")[0]
