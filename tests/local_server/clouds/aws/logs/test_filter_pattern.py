"""Filter patterns of unstructured messages, as the user guide describes them."""

import pytest
from cloudserve.local_server.clouds.aws.logs.filter_pattern import matcher
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from hypothesis import given
from hypothesis import strategies as st

MESSAGES = (
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
)
"""The examples of the user guide."""


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR", [0, 1, 2, 3]),
        ("error", []),
        ("ERROR ARGUMENTS", [2, 3]),
        ("?ERROR ?ARGUMENTS", [0, 1, 2, 3]),
        ("?BAD ?MISSING", [0, 2]),
        ('"INVALID ARGUMENTS"', [3]),
        ("ERROR -ARGUMENTS", [0, 1]),
        ('-"BAD REQUEST"', [1, 2, 3]),
        ("?BAD ARGUMENTS", [2, 3]),
        ('"[ERROR 419]"', [2]),
    ],
    ids=repr,
)
def test_messages_are_found_by_their_terms(pattern, found):
    matches = matcher(pattern)
    assert [index for index, message in enumerate(MESSAGES) if matches(message)] == found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ('{ $.level = "ERROR" }', "Patterns of JSON are not available offline"),
        ("[ip, user]", "Patterns of space-delimited fields are not"),
        ("%ERR.*%", "Patterns of regular expressions are not"),
        ("GET /ping", "needs double quotes"),
        ('"open', "needs double quotes"),
    ],
)
def test_patterns_that_are_not_known_are_refused(pattern, reason):
    with pytest.raises(AwsError, match=reason) as caught:
        matcher(pattern)
    assert caught.value.kind == "InvalidParameterException"


@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_is_found_by_its_quotation(text, before, after):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert matcher(f'"{quoted}"')(before + text + after)


@given(st.text())
def test_a_pattern_is_read_or_refused(pattern):
    try:
        matcher(pattern)("message")
    except AwsError as error:
        assert error.kind == "InvalidParameterException"
