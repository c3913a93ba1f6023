"""A target's fields become an adapter's options, or an error that names the field."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Mapping
from typing import Annotated

import msgspec
import pytest
from cloudserve.adapters.options import bucket_name, from_environment, parse_options
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ProjectError
from cloudserve.project import Target, load_project


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    bucket: str
    project: str = from_environment("FIRST", "SECOND")
    endpoint: str = from_environment("ENDPOINT", default="https://default")
    version: str = "2.11"
    nodes: Annotated[int, msgspec.Meta(ge=1)] = 1
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


def target(**fields):
    return Target("gcp-eu", "some-cloud", fields, "cloudserve.yaml:9: targets.gcp-eu")


def parse(environ=None, **fields):
    return parse_options(target(**fields), Options, environ or {})


def refusal(environ=None, **fields):
    with pytest.raises(ProjectError) as error:
        parse(environ, **fields)
    return error.value


def test_takes_fields_and_defaults():
    assert parse(bucket="b", project="p") == Options("b", "p", "https://default", "2.11", 1)


def test_a_variable_stands_in_for_a_field_and_the_first_one_wins():
    environ = {"FIRST": "one", "SECOND": "two", "ENDPOINT": "http://local"}
    options = parse(environ, bucket="b")
    assert (options.project, options.endpoint) == ("one", "http://local")
    assert parse({"FIRST": "", "SECOND": "two"}, bucket="b").project == "two"


def test_a_field_wins_over_a_variable():
    assert parse({"FIRST": "one"}, bucket="b", project="mine").project == "mine"


def test_null_counts_as_not_given():
    assert parse(bucket="b", project="p", nodes=None).nodes == 1


def test_text_from_flags_becomes_a_number():
    assert parse(bucket="b", project="p", nodes="3").nodes == 3


def test_an_unknown_field_is_refused_with_the_near_one():
    error = refusal(bucket="b", project="p", verson="1")
    assert error.message == "`some-cloud` has no field `verson`"
    assert error.where == "cloudserve.yaml:9: targets.gcp-eu.verson"
    assert error.hint == "did you mean `version`?"


def test_an_unknown_field_like_no_other_is_refused_with_all_there_are():
    hint = refusal(bucket="b", project="p", xyz="1").hint
    assert hint == "name one of these: bucket, project, endpoint, version, nodes, labels"


def test_a_missing_field_is_reported_with_the_variables_that_could_set_it():
    error = refusal(bucket="b")
    assert error.message == "`project` is missing"
    assert error.where == "cloudserve.yaml:9: targets.gcp-eu.project"
    assert error.hint == (
        "add `project:` to the target, or set FIRST or SECOND or CLOUDSERVE_GCP_EU_PROJECT"
    )


def test_a_version_that_yaml_takes_for_a_number_must_be_quoted():
    error = refusal(bucket="b", project="p", version=2.1)
    assert error.message == "`version` cannot be `2.1`: expected text, got a number"
    assert error.hint == 'put it in quotes: version: "2.1"'


@pytest.mark.parametrize(
    "labels", [{"team": "vision", "stage": 1}, "team=vision,stage=1", " team = vision , stage=1,"]
)
def test_values_by_name_come_from_a_mapping_or_from_text(labels):
    assert parse(bucket="b", project="p", labels=labels).labels == {"team": "vision", "stage": "1"}


@pytest.mark.parametrize("labels", ["vision", "=vision", 3, True])
def test_values_without_names_are_refused(labels):
    error = refusal(bucket="b", project="p", labels=labels)
    assert error.message == f"`labels` cannot be `{labels}`: values by name are expected"
    assert error.where == "cloudserve.yaml:9: targets.gcp-eu.labels"
    assert "NAME=VALUE" in error.hint


def test_a_list_is_no_value_by_name():
    error = refusal(bucket="b", project="p", labels={"team": ["a"]})
    assert error.message == "`team` must be a single value, not a list"
    assert error.where == "cloudserve.yaml:9: targets.gcp-eu.labels.team"


def test_values_by_name_are_no_single_value():
    error = refusal(bucket={"name": "b"}, project="p")
    assert error.message.endswith("expected text, got a mapping")
    assert error.hint == "correct it, or override it: --set bucket=VALUE"


@pytest.mark.parametrize("nodes", ["many", 0, -1, 1.5, True, "0"])
def test_a_value_of_the_wrong_kind_is_refused(nodes):
    error = refusal(bucket="b", project="p", nodes=nodes)
    assert error.where == "cloudserve.yaml:9: targets.gcp-eu.nodes"
    assert error.message.startswith(f"`nodes` cannot be `{nodes}`: expected")


@given(
    st.dictionaries(
        st.text(string.ascii_lowercase + "_", max_size=12)
        | st.sampled_from([field.name for field in dataclasses.fields(Options)]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    )
)
def test_any_fields_give_options_or_a_project_error_that_names_one(fields):
    try:
        options = parse(**fields)
    except ProjectError as error:
        assert error.where.startswith("cloudserve.yaml:9: targets.gcp-eu.")
    else:
        assert set(fields) <= {field.name for field in dataclasses.fields(Options)}
        assert options.nodes >= 1


@pytest.mark.parametrize("url", ["gs://my-bucket", "gs://my-bucket/"])
def test_a_bucket_is_given_as_its_url(url):
    assert bucket_name(target(), url, "gs") == "my-bucket"


@pytest.mark.parametrize(
    "url", ["my-bucket", "s3://my-bucket", "gs://", "gs://b/models", "gs://UPPER", "gs://b c", ""]
)
def test_anything_else_is_no_bucket(url):
    with pytest.raises(ProjectError) as error:
        bucket_name(target(), url, "gs")
    assert error.value.where.endswith(".bucket")
    assert error.value.hint == "write gs://NAME, without a path"


def test_an_error_names_the_line_of_its_own_field(tmp_path):
    file = tmp_path / "cloudserve.yaml"
    fields = {"provider": "some-cloud", "bucket": "b", "project": "p", "nodes": "many"}
    lines = "".join(f"    {name}: {value}\n" for name, value in fields.items())
    file.write_text(f"models:\n  m: {{path: m}}\ntargets:\n  eu:\n{lines}")
    eu = load_project(file).target("eu")
    with pytest.raises(ProjectError) as caught:
        parse_options(eu, Options, {})
    assert caught.value.where == f"{file}:8: targets.eu.nodes"
    assert eu.where_of("labels") == f"{file}:4: targets.eu.labels"
