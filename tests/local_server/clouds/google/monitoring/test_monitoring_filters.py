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
        ('metric.labels.code = "5xx" OR metric.labels.code = "2xx"', True),
        ('metric.labels.code = "5xx" OR metric.labels.code = "4xx"', False),
        ('NOT metric.labels.code = "5xx"', True),
        ('NOT metric.type = "a/b"', False),
        ('(metric.type = "a/b")', True),
        ('metric.type = "a/b" AND (resource.type = "q" OR resource.labels.zone : "x")', True),
        ('metric.type = "a/b" (resource.type = "q" OR resource.type = "p")', False),
        ('NOT (resource.type = "q" OR resource.type = "p") AND metric.type = "a/b"', True),
        ('(metric.type = "a/c" AND resource.type = "r") OR resource.type = r', True),
    ],
)
def test_comparisons_are_joined(text, matches):
    assert parse_filter(text).matches(FIELDS) is matches


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('metric.type = "a" OR metric.type = "b" AND resource.type = "r"', Code.UNIMPLEMENTED),
        ('metric.type = "a" resource.type = "r" OR resource.type = "q"', Code.UNIMPLEMENTED),
        ('-metric.type = "a"', Code.UNIMPLEMENTED),
        ('NOT NOT metric.type = "a"', Code.INVALID_ARGUMENT),
        ("NOT", Code.INVALID_ARGUMENT),
        ('OR metric.type = "a"', Code.INVALID_ARGUMENT),
        ('metric.type = "a" OR', Code.INVALID_ARGUMENT),
        ('(metric.type = "a"', Code.INVALID_ARGUMENT),
        ('metric.type = "a")', Code.INVALID_ARGUMENT),
        ("()", Code.INVALID_ARGUMENT),
        ("(" * 60 + 'metric.type = "a"' + ")" * 60, Code.INVALID_ARGUMENT),
        ('metric.labels.code = starts_with("4", "5")', Code.INVALID_ARGUMENT),
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


COMPARISONS = st.sampled_from(
    [
        ('metric.labels.code = "2xx"', True),
        ('metric.labels.code != "2xx"', False),
        ("resource.type = r", True),
        ('metric.type = starts_with("b")', False),
    ]
)


def joined(parts):
    """Return terms in parentheses, with what they mean: pairs of a text and its truth."""
    pairs = st.lists(parts, min_size=2, max_size=4)
    return st.one_of(
        pairs.map(lambda p: (" AND ".join(f"({t})" for t, _ in p), all(v for _, v in p))),
        pairs.map(lambda p: (" ".join(f"({t})" for t, _ in p), all(v for _, v in p))),
        pairs.map(lambda p: (" OR ".join(f"({t})" for t, _ in p), any(v for _, v in p))),
        parts.map(lambda p: (f"NOT ({p[0]})", not p[1])),
    )


@given(st.recursive(COMPARISONS, joined, max_leaves=12))
def test_nested_terms_mean_what_their_parts_mean(pair):
    text, is_match = pair
    assert parse_filter(text).matches(FIELDS) is is_match


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ('metric.type = "a" AND (resource.type = "q" OR resource.type = "r")', ["a"]),
        ('resource.type = "q" AND (metric.type = "a" AND resource.labels.zone = "z")', ["a"]),
        ('metric.type = "a" OR metric.type = "b"', []),
        ('NOT metric.type = "a"', []),
        ('metric.type = "a" AND metric.type = "b"', ["a", "b"]),
    ],
)
def test_only_a_type_that_every_match_has_is_named(text, types):
    assert parse_filter(text).metric_types == types


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
