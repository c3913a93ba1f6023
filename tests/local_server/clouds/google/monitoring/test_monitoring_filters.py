"""The filters of Cloud Monitoring: what matches, and what is refused."""

import pytest
from cloudserve.local_server.clouds.google.monitoring.filters import parse_filter
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

FIELDS = {
    "metric.type": "a/b",
    "metric.labels.code": "2xx",
    "resource.type": "r",
    "resource.labels.zone": "x-1",
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ('metric.type = "a/b"', True),
        ('metric.type="a/c"', False),
        ('metric.type = "a/b" AND metric.labels.code = "2xx"', True),
        ('metric.type = "a/b" metric.label.code = "5xx"', False),
        ("resource.type=r AND resource.labels.zone != 'x-2'", True),
        ('metric.labels.code != "2xx"', False),
        ('metric.labels.none = ""', True),
        ('resource.labels.zone : "-"', True),
        ('metric.type = starts_with("a/")', True),
        ('metric.type != ends_with("b")', False),
        ('metric.labels.code = one_of("4xx", "5xx")', False),
        ('metric.labels.code = has_substring("x")', True),
    ],
)
def test_comparisons_are_joined_by_and(text, matches):
    assert parse_filter(text).matches(FIELDS) is matches


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('metric.type = "a" OR metric.type = "b"', Code.UNIMPLEMENTED),
        ('NOT metric.type = "a"', Code.UNIMPLEMENTED),
        ('(metric.type = "a")', Code.UNIMPLEMENTED),
        ("metric.labels.code > 3", Code.UNIMPLEMENTED),
        ('group.id = "a"', Code.UNIMPLEMENTED),
        ('metric.type = monitoring.regex.full_match("a")', Code.UNIMPLEMENTED),
        ('metric.kind = "a"', Code.INVALID_ARGUMENT),
        ("metric.type", Code.INVALID_ARGUMENT),
        ("metric.type =", Code.INVALID_ARGUMENT),
        ('metric.type = "a', Code.INVALID_ARGUMENT),
        ('metric.type = "a" AND', Code.INVALID_ARGUMENT),
        ('metric.type = one_of("a"', Code.INVALID_ARGUMENT),
        ('metric.type = one_of("a" "b")', Code.INVALID_ARGUMENT),
        ("metric.type = one_of()", Code.INVALID_ARGUMENT),
        ('= "a"', Code.INVALID_ARGUMENT),
    ],
)
def test_invalid_and_unsupported_filters_are_refused(text, code):
    with pytest.raises(StatusError) as caught:
        parse_filter(text)
    assert caught.value.code is code


@given(st.text(alphabet="metric.type=\"ab\\'()ANDOR :,!<", max_size=30))
def test_any_text_is_parsed_or_refused(text):
    try:
        parse_filter(text)
    except StatusError as error:
        assert error.code in {Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED}


@given(st.text(max_size=10))
def test_any_value_can_be_quoted(value):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_filter(f'metric.type = "{quoted}"').metric_types == [value]
