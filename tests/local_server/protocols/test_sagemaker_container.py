from __future__ import annotations

import csv
import io
import json

import pytest
from cloudserve.local_server.protocols.sagemaker import ContainerError, to_tfserving
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"instances": [1]}', b'{"instances": [1]}'),
        (b'{"inputs" : {"x": [1]}}', b'{"inputs" : {"x": [1]}}'),
        (b'{"signature_name": "s", "examples": []}', b'{"signature_name": "s", "examples": []}'),
        (b"[1, 2]", b'{"instances":[[1, 2]]}'),
        (b'{"x": 1}', b'{"instances":[{"x": 1}]}'),
        (b"5", b'{"instances":[5]}'),
        (b"[[1], [2]]", b'{"instances":[[1], [2]]}'),
        (b"[1, 2]\n[3, 4]\n", b'{"instances":[[1, 2],[3, 4]]}'),
        (b'{"x": 1}\r\n\r\n{"x": 2}', b'{"instances":[{"x": 1},{"x": 2}]}'),
    ],
)
def test_json_becomes_what_the_container_makes_of_it(body, expected):
    assert to_tfserving("application/json", body) == expected


@pytest.mark.parametrize("kind", ["application/jsonlines", "application/jsons"])
def test_json_lines_have_the_same_road(kind):
    assert to_tfserving(kind, b"[1]\n[2]") == b'{"instances":[[1],[2]]}'


def test_type_names_ignore_case_and_parameters():
    assert to_tfserving("Application/JSON; charset=utf-8", b"5") == b'{"instances":[5]}'


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("application/x-image", "application/x-image"), ("application/x-npy",) * 2, ("", "Unknown")],
)
def test_other_types_are_unsupported(kind, shown):
    with pytest.raises(ContainerError) as caught:
        to_tfserving(kind, b"")
    assert caught.value.status == 415
    assert caught.value.message == f"Unsupported Media Type: {shown}"


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"1,2\n3,4", [[1, 2], [3, 4]]),
        (b"1\n2.5e3\n", [1, 2500.0]),
        (b'a,"b ""quoted"", c",-7\n', [["a", 'b "quoted", c', -7]]),
        (b"01,.5,1.,NaN", [["01", ".5", "1.", "NaN"]]),
        (b"", []),
    ],
)
def test_csv_quotes_what_is_no_number(body, rows):
    assert json.loads(to_tfserving("text/csv", body)) == {"instances": rows}


@pytest.mark.parametrize("number", ["9" * 5000, "0.10", "-1E+2", "12345678901234567890"])
def test_a_number_of_a_csv_is_taken_over_as_it_is_written(number):
    assert to_tfserving("text/csv", number.encode()) == b'{"instances":[%s]}' % number.encode()


# Without digits none of the texts is a number.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Nd"]))


@given(rows=st.lists(st.lists(TEXTS, min_size=2), min_size=1))
def test_any_csv_of_texts_keeps_its_fields(rows):
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    converted = to_tfserving("text/csv", written.getvalue().encode())
    assert json.loads(converted) == {"instances": rows}


@given(body=st.binary(), kind=st.sampled_from(["application/json", "text/csv", "text/plain"]))
def test_any_body_is_converted_or_refused(body, kind):
    try:
        assert isinstance(to_tfserving(kind, body), bytes)
    except ContainerError as error:
        assert error.status in {400, 415}
