from __future__ import annotations

import json

import pytest
from cloudserve.local_server.clouds.google.common.discovery import load
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.clouds.google.common.messages import parse
from cloudserve.local_server.status import Code
from hypothesis import given
from hypothesis import strategies as st

API = load("ml", "v1")
VERSION = "GoogleCloudMlV1__Version"
FIELDS = sorted(API.schemas[VERSION]["properties"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


def read(body: object) -> dict:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(API.schemas, VERSION, content, "version")


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (
            {"x": 1},
            "version",
            "Invalid JSON payload received. Unknown name \"x\" at 'version': Cannot find field.",
        ),
        (
            {"autoScaling": {"x": 1}},
            "version.auto_scaling",
            (
                "Invalid JSON payload received. Unknown name \"x\" at 'version.auto_scaling':"
                " Cannot find field."
            ),
        ),
        (
            {"description": 5},
            "version.description",
            "Invalid value at 'version.description' (TYPE_STRING), 5",
        ),
        (
            {"framework": "TORCH"},
            "version.framework",
            (
                "Invalid value at 'version.framework'"
                ' (type.googleapis.com/google.cloud.ml.v1.Version.Framework), "TORCH"'
            ),
        ),
        (
            {"autoScaling": 5},
            "version.auto_scaling",
            (
                "Invalid value at 'version.auto_scaling'"
                " (type.googleapis.com/google.cloud.ml.v1.AutoScaling), 5"
            ),
        ),
        (
            {"autoScaling": {"minNodes": "many"}},
            "version.auto_scaling.min_nodes",
            "Invalid value at 'version.auto_scaling.min_nodes' (TYPE_INT32), \"many\"",
        ),
        (
            {"isDefault": "yes"},
            "version.is_default",
            "Invalid value at 'version.is_default' (TYPE_BOOL), \"yes\"",
        ),
        (
            {"description": ["a"]},
            "version",
            (
                "Invalid JSON payload received. Unknown name \"description\" at 'version':"
                " Proto field is not repeating, cannot start list."
            ),
        ),
        (
            {"acceleratorConfig": {"count": 2**63}},
            "version.accelerator_config.count",
            f"Invalid value at 'version.accelerator_config.count' (TYPE_INT64), {2**63}",
        ),
    ],
)
def test_an_invalid_field_is_reported_with_googles_text(body, field, text):
    with pytest.raises(ApiError) as caught:
        read(body)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, text)
    assert [(v.field, v.description) for v in caught.value.violations] == [(field, text)]


def test_every_invalid_field_is_reported():
    with pytest.raises(ApiError) as caught:
        read({"x": 1, "description": 5})
    assert len(caught.value.violations) == 2
    assert len(caught.value.message.splitlines()) == 2


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b"\xff\xfe", b"NaN", b'{"description": "\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_is_not_json_is_refused(body):
    with pytest.raises(ApiError, match=r"Invalid JSON payload received. Unexpected token."):
        read(body)


def test_proto_names_are_taken_and_null_means_absent():
    assert read({"deployment_uri": "gs://b", "labels": None}) == {"deploymentUri": "gs://b"}


@pytest.mark.parametrize("count", [3, "3", 3.0])
def test_a_64_bit_integer_may_be_a_string_and_becomes_one(count):
    assert read({"acceleratorConfig": {"count": count}}) == {"acceleratorConfig": {"count": "3"}}


def test_an_enum_may_be_its_number():
    assert read({"framework": 1}) == {"framework": "TENSORFLOW"}


@given(body=st.dictionaries(st.sampled_from([*FIELDS, "x"]), VALUES, max_size=4))
def test_any_json_is_a_version_or_a_refusal(body):
    try:
        value = read(body)
    except ApiError as error:
        assert error.code is Code.INVALID_ARGUMENT
        assert error.violations
    else:
        assert "x" not in value
        assert set(value) == {key for key, item in body.items() if item is not None}
