"""Results for programs: the same document as JSON, YAML and JSON lines."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudserve.cli.errors import run
from cloudserve.cli.render.formats import converted, encoded

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
DOCUMENTS = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25)
@given(DOCUMENTS)
def test_every_format_has_the_same_document(document):
    expected = json.loads(encoded(document, "json"))
    assert yaml.safe_load(encoded(document, "yaml")) == expected
    lines = encoded(document, "ndjson").split(b"\n")
    read = [json.loads(line) for line in lines if line]
    assert read == (expected if isinstance(expected, list) else [expected])


def test_fields_keep_their_order_and_texts_their_letters():
    assert encoded({"z": "größer", "a": [1, 2]}, "yaml").decode() == "z: größer\na:\n- 1\n- 2"
    assert encoded([{"z": "größer"}, {}], "ndjson").decode() == '{"z": "größer"}\n{}'


@pytest.mark.parametrize("text", ["089012345678", "1e5", "12345e678901", "1e+5", "-.5e3", "0o7"])
def test_a_text_is_no_number_in_yaml_1_2_either(text):
    assert encoded(text, "yaml").decode() == f"'{text}'"
    assert encoded(f"v{text}", "yaml").decode().startswith(f"v{text}")


def test_an_answer_keeps_its_nan_and_its_bytes():
    assert converted(b'{"predictions":[NaN]}', "json") == b'{"predictions":[NaN]}'
    assert converted(b'{"predictions":[NaN, 1.0]}', "yaml") == b"predictions:\n- .nan\n- 1.0"


@pytest.mark.parametrize("output", ["yaml", "ndjson"])
def test_commands_print_what_json_has_and_errors_as_json(project, capsys, output):
    command = ["plan", "deploy", "half", "--target", "here", "-o"]
    assert run([*command, "json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert run([*command, output]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == expected
    assert run(["plan", "deploy", "half", "--target", "hare", "-o", output]) == 2
    assert "error" in json.loads(capsys.readouterr().err)
