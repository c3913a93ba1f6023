"""Request bodies converted as in the image's script, in both releases."""

from __future__ import annotations

import json

import pytest
from cloudserve.local_server.container.nginx import csv_rows
from cloudserve.local_server.container.nginx.conversion import to_tfserving
from cloudserve.local_server.container.nginx.csv_rows import _fields, _mixed_rows, _rows
from cloudserve.local_server.container.nginx.js import WHITE
from cloudserve.local_server.container.release import Release, release_of
from cloudserve.local_server.container.types import RefusedError
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = Release.V2_19, Release.V2_20
BOTH = pytest.mark.parametrize("release", [OLD, NEW])


@BOTH
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"instances": [1]}', '{"instances": [1]}'),
        ('{"inputs" : {"x": [1]}}', '{"inputs" : {"x": [1]}}'),
        ('{"signature_name": "s", "examples": []}', '{"signature_name": "s", "examples": []}'),
        # Whatever else is there, and whether it is JSON or not.
        ('[1]\n{"instances"\n:', '[1]\n{"instances"\n:'),
        ("[1, 2]", '{"instances":[[1, 2]]}'),
        ('{"x": 1}', '{"instances":[{"x": 1}]}'),
        ("5", '{"instances":[5]}'),
        ("", '{"instances":[]}'),
        ("[[1], [2]]", '{"instances":[[1], [2]]}'),
        (" [\n [1], [2]]", '{"instances": [\n [1], [2]]}'),
        ("[1, 2]\n[3, 4]\n", '{"instances":[[1, 2],[3, 4]]}'),
        ("\n [1]\r\n\n [2] \n", '{"instances":[[1],[2]]}'),
        ('{"x": 1}\r\n\r\n{"x": 2}', '{"instances":[{"x": 1},{"x": 2}]}'),
        # Objects on one line are no lines: TensorFlow Serving gets what is no JSON.
        ('{"x": 1} {"x": 2}', '{"instances":{"x": 1} {"x": 2}}'),
        # A line that is cut in the middle of an object is taken as it stands.
        ('{"x":\n1}\n{"x": 2}', '{"instances":[{"x":,1},{"x": 2}]}'),
        ("[[1]\u00a0[2]]", '{"instances":[[1]\u00a0[2]]}'),
    ],
)
def test_json_becomes_what_the_script_makes_of_it(release, body, expected):
    assert to_tfserving(release, "application/json", body.encode()).decode() == expected


@BOTH
@pytest.mark.parametrize("kind", ["application/jsonlines", "application/jsons"])
def test_json_lines_have_the_same_road(release, kind):
    assert to_tfserving(release, kind, b"[1]\n[2]") == b'{"instances":[[1],[2]]}'


def test_invalid_utf_8_becomes_replacement_characters():
    assert to_tfserving(NEW, "application/json", b'{"b": "\xff"}') == (
        '{"instances":[{"b": "\ufffd"}]}'.encode()
    )


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
def test_type_names_ignore_case_and_parameters_from_2_20_on(kind):
    assert to_tfserving(NEW, kind, b"5") == b'{"instances":[5]}'
    with pytest.raises(RefusedError, match=r"Unsupported Media Type: .pplication/"):
        to_tfserving(OLD, kind, b"5")


@BOTH
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("application/x-image", "application/x-image"),
        ("application/x-npy", "application/x-npy"),
        ("", "Unknown"),
        (None, "Unknown"),
    ],
)
def test_other_types_are_unsupported(release, kind, shown):
    with pytest.raises(RefusedError) as caught:
        to_tfserving(release, kind, b"")
    assert (caught.value.status, caught.value.message) == (415, f"Unsupported Media Type: {shown}")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("1,2\n3,4", "[1,2],[3,4]"),
        ("1\n2.5e3\n", "1,2.5e3"),
        ('a,"b ""quoted"", c",-7\n', r'["a","b \"quoted\", c",-7]'),
        ("01,.5,1.,NaN,+1", '["01",".5","1.","NaN","+1"]'),
        (" 1 , x \n\n2,y", '[1," x"],[2,"y"]'),
        ("1,,", '[1,"",""]'),
        ('a"b,c"d', r'"ab,cd"'),
        ('"open, to the end', '"open, to the end"'),
        (r"C:\temp,1", r'["C:\\temp",1]'),
        ('"5"', "5"),
        ("", ""),
        (" \n ", ""),
        ("\ufeff1,2", "[1,2]"),
    ],
)
def test_csv_of_2_20_quotes_each_field_that_is_not_a_number(body, rows):
    assert to_tfserving(NEW, "text/csv", body.encode()).decode() == f'{{"instances":[{rows}]}}'


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("1,2\n3,4", "[1,2],[3,4]"),
        ("1\n2\n", "1,2"),
        # What starts like a number is never quoted, nor what starts with a quote.
        ("1,a", "[1,a]"),
        ('"a",b', '["a",b]'),
        ("Else,1", "[Else,1]"),
        ("a,1", '["a","1"]'),
        # Only the first comma and the first quote of a line are seen to.
        ("a,b,c", '["a","b,c"]'),
        ('a "b" c', r'"a \"b" c"'),
        ("a\n1,2", '"a",["1","2"]'),
        ("", ""),
    ],
)
def test_csv_of_2_19_quotes_all_or_nothing(body, rows):
    assert to_tfserving(OLD, "text/csv", body.encode()).decode() == f'{{"instances":[{rows}]}}'


@pytest.mark.parametrize("number", ["9" * 5000, "0.10", "-1E+2", "12345678901234567890"])
def test_a_number_in_a_csv_stays_unchanged(number):
    assert to_tfserving(NEW, "text/csv", number.encode()) == b'{"instances":[%s]}' % number.encode()


def split_by_character(line: str) -> list[str]:
    """Split as the script does: character by character, with a flag for quotes."""
    fields, current, quoted, place = [], "", False, 0
    while place < len(line):
        character = line[place]
        if character == '"':
            if quoted and line[place + 1 : place + 2] == '"':
                current += '"'
                place += 1
            else:
                quoted = not quoted
        elif character == "," and not quoted:
            fields.append(current)
            current = ""
        else:
            current += character
        place += 1
    return [*fields, current]


@given(st.text('",ab'))
def test_fields_are_those_of_the_character_by_character_rule(line):
    assert _fields(line) == split_by_character(line)


CSV_LINES = st.lists(st.text('",ab01.-e \t\\\r\ufeff', max_size=8), min_size=1, max_size=6)


@given(CSV_LINES)
def test_blocks_convert_like_single_fields(lines):
    text = "\n".join(lines).strip(WHITE)
    assert _rows(text) == _mixed_rows(text)


@given(CSV_LINES, st.integers(1, 20))
def test_a_csv_in_blocks_is_the_csv_in_one(lines, size):
    text = "\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "_BLOCK_CHARACTERS", size)
        assert csv_rows.csv_rows_2_20(text) == _mixed_rows(text)


@pytest.mark.parametrize("line", ["1,2.5", "-7", "a,b c,", "word", '"5","x",""', "1, 2", "a,1"])
def test_the_fields_of_a_large_csv_are_not_each_converted(monkeypatch, line):
    converted = []
    monkeypatch.setattr(csv_rows, "_value", lambda field: converted.append(field) or "0")
    to_tfserving(NEW, "text/csv", f"{line}\n".encode() * 10_000)
    assert len(converted) <= 6  # at most each distinct field, in each of two blocks


# Without digits none of the texts is a number, which loses its quotes.
FIELDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "Nd"]), min_size=1)


@given(st.lists(st.lists(FIELDS, min_size=2, max_size=4), min_size=1))
def test_any_csv_of_quoted_texts_keeps_its_fields(rows):
    lines = (",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows)
    converted = to_tfserving(NEW, "text/csv", "\n".join(lines).encode())
    assert json.loads(converted) == {"instances": rows}


def test_quotes_do_not_keep_a_number_a_text():
    assert to_tfserving(NEW, "text/csv", b'"1","x"') == b'{"instances":[[1,"x"]]}'


KINDS = ["application/json", "application/jsonlines", "text/csv", "text/plain"]


@given(body=st.binary(), kind=st.sampled_from(KINDS), release=st.sampled_from(Release))
def test_any_body_is_converted_or_unsupported(body, kind, release):
    try:
        assert isinstance(to_tfserving(release, kind, body), bytes)
    except RefusedError as error:
        assert (kind, error.status) == ("text/plain", 415)


REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("image", "release"),
    [
        (f"{REGISTRY}/tensorflow-inference:2.20-cpu-py312", NEW),
        (f"{REGISTRY}/tensorflow-inference:2.20-cpu-py312-amzn2023-sagemaker-v1", NEW),
        (f"{REGISTRY}/tensorflow-inference:3.0-gpu", NEW),
        (f"{REGISTRY}/tensorflow-inference:2.19-cpu", OLD),
        (f"{REGISTRY}/tensorflow-inference:2.19.0-gpu", OLD),
        (f"{REGISTRY}/sagemaker-tensorflow-serving:1.12-cpu", OLD),
        ("my.registry:5000/tensorflow-inference", NEW),
        ("my.registry:2.19/mine:latest", NEW),
        ("", NEW),
    ],
)
def test_an_image_says_its_release_by_its_tag(image, release):
    assert release_of(image) is release
