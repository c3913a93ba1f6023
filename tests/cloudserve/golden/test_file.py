"""Golden files are written atomically, read back, and refused by line."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.golden.file import (
    Example,
    Golden,
    Header,
    Tolerance,
    encode,
    read_golden,
    write_golden,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=3)
TOLERANCES = st.builds(
    Tolerance, st.floats(0, 1), st.floats(0, 1), st.integers(0, 100), st.just("float64")
)
EXAMPLES = st.builds(Example, OBJECTS, OBJECTS) | st.builds(
    Example, OBJECTS, st.none(), st.lists(st.integers(0, 9) | st.text(), max_size=3)
)
HEADERS = st.builds(
    Header,
    model=st.text(),
    source=st.text(),
    tolerance=TOLERANCES,
    outputs=st.dictionaries(st.text(), TOLERANCES, max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADERS, st.lists(EXAMPLES, min_size=1, max_size=3))
def test_a_file_that_was_written_is_read_back(tmp_path, header, examples):
    file = tmp_path / "golden.jsonl"
    write_golden(Golden(header, tuple(examples)), file)
    result = read_golden(file)
    assert result.header == header
    assert result.examples == tuple(examples)
    assert json.loads(file.read_bytes().splitlines()[0])["golden"] == 1


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "the line is not part of a golden file: ", ":1"),
        ("[]\n", "the line is not part of a golden file: ", ":1"),
        ("{}\n", "the first line is not the header of a golden file", ":1"),
        ('{"golden": 2}\n{}\n', "the golden file has schema 2, and this version reads 1", ""),
        ('{"golden": 1}\n', "the golden file has no examples", ""),
        ('{"golden": 1, "tolerence": {}}\n', "the line is not part of a golden file: ", ":1"),
        ('{"golden": 1}\n\n{"request": {}}\n', "the example has neither an answer nor", ":3"),
        ('{"golden": 1}\n{"request": 1, "answer": {}}\n', "the line is not part of", ":2"),
        ('{"golden": 1}\n{"request": {}, "ansver": {}}\n', "the line is not part of", ":2"),
    ],
)
def test_another_file_is_refused_with_the_line(tmp_path, text, message, line):
    file = tmp_path / "golden.jsonl"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_golden(file)
    assert caught.value.message.startswith(message)
    assert caught.value.where == f"{file}{line}"


def test_a_missing_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file") as caught:
        read_golden(tmp_path / "golden.jsonl")
    assert "cloudserve golden record" in caught.value.hint


def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path):
    golden = Golden(Header(), (Example({}, {}),))
    with pytest.raises(UserError, match="cannot be written"):
        write_golden(golden, tmp_path / "missing" / "golden.jsonl")


def test_the_digest_is_that_of_the_bytes(tmp_path):
    file = tmp_path / "golden.jsonl"
    file.write_text('{"golden": 1}\n{"request": {}, "answer": {}}\n')
    before = read_golden(file).digest
    file.write_text('{"golden": 1}\n{"request": {}, "answer": {"predictions": []}}\n')
    assert read_golden(file).digest != before


def test_half_of_a_surrogate_pair_keeps_its_escape():
    assert encode({"a": ["\ud800", "ä"]}) == b'{"a":["\\ud800","\\u00e4"]}'
    assert encode({"a": "ä"}) == '{"a":"ä"}'.encode()
