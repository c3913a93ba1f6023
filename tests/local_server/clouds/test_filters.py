"""The filter language of lists, and whatever else it is given."""

from __future__ import annotations

import contextlib

import pytest
from cloudserve.local_server.clouds.filters import ANY, FilterError, camel, compile_filter
from hypothesis import given
from hypothesis import strategies as st

FIELDS = dict.fromkeys(("displayName", "labels", "createTime", "done", "versionAliases"), ANY)
DOCUMENT = {
    "displayName": "Digits v2",
    "labels": {"stage": "prod", "empty": ""},
    "createTime": "2026-01-02T03:04:05Z",
    "done": True,
    "versionAliases": ["default", "prod"],
}


def passes(text: str) -> bool:
    return compile_filter(text, FIELDS)(DOCUMENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        'display_name="Digits v2"',
        "displayName='Digits v2'",
        'display_name : "digits"',
        'display_name != "other"',
        "display_name:dig*",
        'display_name:"dig*"',
        "labels.stage=prod",
        "labels.stage:*",
        "labels:stage",
        "labels.none!=prod",
        'create_time > "2026-01-01" AND create_time <= "2026-01-02T03:04:05Z"',
        "done=true",
        "version_aliases:prod",
        "NOT labels.stage=test",
        "-labels.stage=test",
        "labels.stage=test OR labels.stage=prod",
        "labels.stage=prod done=true",
        "(labels.stage=test OR done=true) AND NOT (labels.none:*)",
        'display_name="Digits v2" AND labels.stage=test OR done=true',
    ],
)
def test_a_filter_matches(text):
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        'display_name="digits v2"',
        "labels.stage=test",
        "display_name:git*",
        "labels.empty:*",
        "labels.none=prod",
        "labels:none",
        'create_time < "2026"',
        "NOT done=true",
        "labels.stage=prod AND done=false",
    ],
)
def test_a_filter_rejects(text):
    assert not passes(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope=1", "'nope' is not a field"),
        ("displayName.a=1", "is not a field"),
        ("display_name", "a comparator after the field is missing at its end"),
        ("display_name=", "a value after '=' is missing"),
        ("display_name==1", "'=' is not a value"),
        ("display_name (1)", "'(' is not a comparator"),
        ("(done=true", "a parenthesis is not closed"),
        ("done=true)", "unexpected ')'"),
        ('display_name="open', "cannot be read from"),
        ("(" * 60 + "done=true" + ")" * 60, "nested too deeply"),
        ('"display_name"=1', "is not a field"),
    ],
)
def test_an_invalid_filter_is_refused_with_its_reason(text, message):
    with pytest.raises(FilterError) as caught:
        compile_filter(text, FIELDS)
    assert message in str(caught.value)


@given(st.text(alphabet="ad_.=\"'\\ ()-:*<>!ANDORT\x00é") | st.text())
def test_any_text_is_a_filter_or_refused(text):
    with contextlib.suppress(FilterError):
        compile_filter(text, FIELDS)(DOCUMENT)


@given(st.text(), st.sampled_from(["=", ":"]))
def test_every_string_can_be_quoted(value, comparator):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    keeps = compile_filter(f'display_name{comparator}"{quoted}"', FIELDS)
    assert keeps({"displayName": value})


def test_proto_names_are_json_names():
    assert camel("display_name") == camel("displayName") == "displayName"


def test_a_field_is_compared_by_its_own_comparators():
    fields = {"displayName": {"=", "!="}}
    assert compile_filter('display_name="Digits v2"', fields)(DOCUMENT)
    with pytest.raises(FilterError, match="'displayName' cannot be compared by ':'"):
        compile_filter("display_name:Digits", fields)
