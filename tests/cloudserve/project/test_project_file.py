"""The project file: accepted content and errors."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import find_project_file, load_project
from cloudserve.project.own_variables import OWN_VARIABLES

GOOD = """\
models:
  mnist:
    path: models/mnist
targets:
  gcp:
    provider: ai-platform
    bucket: gs://b
  gcp-eu:
    provider: ai-platform
    bucket: gs://eu
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cloudserve.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path):
    project = load_project(written(tmp_path, GOOD))
    assert project.model("mnist").path == tmp_path / "models/mnist"
    assert project.model("mnist").tags == ("serve",)
    assert project.target("gcp").provider == "ai-platform"


@pytest.mark.parametrize("url", ["models:/half@champion", "models:/half/3", "runs:/1f/export"])
def test_a_path_may_be_a_version_of_mlflow(tmp_path, url):
    model = load_project(written(tmp_path, f"models: {{m: {{path: '{url}'}}}}\n")).models["m"]
    assert (model.url, model.is_registered) == (url, True)


def test_an_alias_of_mlflow_is_no_field_of_the_adapter(tmp_path):
    path = written(tmp_path, GOOD + "    mlflow_alias: champion\n")
    target = load_project(path, environ={}).targets["gcp-eu"]
    assert (target.mlflow_alias, target.rehearses_alias) == ("champion", False)
    assert "mlflow_alias" not in target.fields
    asked = load_project(path, environ={}, overrides={"mlflow_alias": "other"}).targets["gcp-eu"]
    assert (asked.mlflow_alias, asked.rehearses_alias) == ("other", True)


@pytest.mark.parametrize("alias", ["latest", "v1", "a b", "[a]", "é", "x" * 256])
def test_an_alias_that_mlflow_refuses_is_refused(tmp_path, alias):
    path = written(tmp_path, f"{GOOD}    mlflow_alias: {alias}\n")
    with pytest.raises(ProjectError, match="is not an alias of MLflow's registry") as caught:
        load_project(path, environ={})
    assert caught.value.where.endswith("targets.gcp-eu.mlflow_alias")
    document = {
        "models": {"m": {"path": "m"}},
        "targets": {"t": {"provider": "x", "mlflow_alias": alias}},
    }
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_a_target_knows_its_project_and_its_siblings(tmp_path):
    project = load_project(written(tmp_path, f"name: shop\n{GOOD}"), environ={})
    target = project.target("gcp")
    assert (project.name, target.project) == ("shop", "shop")
    assert [sibling.name for sibling in target.siblings] == ["gcp-eu"]


def test_a_sibling_has_its_values_from_the_environment(tmp_path):
    environ = {"CLOUDSERVE_GCP_EU_REGION": "europe-west4"}
    project = load_project(written(tmp_path, GOOD), environ=environ)
    (sibling,) = project.target("gcp").siblings
    assert sibling.fields["region"] == "europe-west4"
    assert (project.name, project.target("gcp").project) == ("", "")


@pytest.mark.parametrize("name", ["Shop", "shop.a", "3", "a--b", "[a]", '""', "a" * 41])
def test_an_invalid_project_name_is_refused(tmp_path, name):
    with pytest.raises(ProjectError, match="is not a project name") as error:
        load_project(written(tmp_path, f"name: {name}\n{GOOD}"))
    assert error.value.where.endswith(":1: name")


def test_a_field_may_hold_values_by_name(tmp_path):
    text = GOOD + "    labels:\n      team: vision\n      stage: 1\n"
    fields = load_project(written(tmp_path, text), environ={}).target("gcp-eu").fields
    assert fields["labels"] == {"team": "vision", "stage": 1}


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("", "the project file must be a mapping, not nothing", ":1"),
        ("models: []", "a project needs at least one model", ":1: models"),
        ("modls: {}", "unknown key `modls`", ":1: modls"),
        ("models:\n  m:\n    pth: x", "unknown key `pth`", ":3: models.m.pth"),
        ("models:\n  m: {}", "`path` is missing", ":2: models.m.path"),
        ("models:\n  m:\n    path: 3", "`path` must be a string, not `3`", ":3: models.m.path"),
        (
            "models:\n  m:\n    path: x\n    tags: serve",
            "`tags` must be a list of strings",
            ":4: models.m.tags",
        ),
        ("models:\n  1:\n    path: x", "the key `1` must be a string", ":2: models.1"),
        ("models:\n  'a b':\n    path: x", "`a b` is not a model name", ":2: models.a b"),
        (
            "models:\n  a-b:\n    path: x\n  a_b:\n    path: y",
            "`a_b` and `a-b` would be the same model on a platform",
            ":4: models.a_b",
        ),
        (
            "models:\n  m:\n    path: x\n    path: y",
            "duplicate key `path`",
            ":4: models.m.path",
        ),
        (
            "models:\n  m:\n    path: x\ntargets:\n  t:\n    bucket: b",
            "`provider` is missing",
            ":5: targets.t.provider",
        ),
        (
            "models: {m: {path: x}}\ntargets:\n  t:\n    provider: p\n    x:\n      y: [{1: a}]",
            "the key `1` must be a string",
            ":6: targets.t.x.y.1",
        ),
        (
            "models: {m: {path: x}}\ntargets: {t: {provider: p, labels: {a: 1, a: 2}}}",
            "duplicate key `a`",
            ":2: targets.t.labels.a",
        ),
        (
            "models:\n  m:\n    path: ~nobody-here/x",
            "`~nobody-here/x`: there is no user `nobody-here`",
            ":3: models.m.path",
        ),
        (
            GOOD + "  gcp_eu:\n    provider: ai-platform",
            "`gcp_eu` and `gcp-eu` would share their environment variables",
            ":11: targets.gcp_eu",
        ),
        ("models: &m\n  m: *m", "unknown key `m`", ":2: models.m.m"),
        (GOOD + "  aws:", "targets.aws must be a mapping, not nothing", ":11: targets.aws"),
        (
            "models:\n\tm: x",
            "the project file is not YAML: found character '\\t' that cannot start any token",
            ":2",
        ),
        (
            "models: {m: {path: x}",
            "the project file is not YAML: expected ',' or '}', but got '<stream end>'",
            ":1",
        ),
    ],
)
def test_an_error_in_the_file_names_line_and_path(tmp_path, text, message, where):
    path = written(tmp_path, text)
    with pytest.raises(ProjectError) as caught:
        load_project(path)
    assert caught.value.message == message
    assert caught.value.where == f"{path}{where}"
    assert caught.value.hint


def test_a_missing_file_hints_at_init(tmp_path):
    with pytest.raises(ProjectError, match="cannot be read: No such file") as caught:
        load_project(tmp_path / "cloudserve.yaml")
    assert caught.value.hint == "`cloudserve init` writes one for the models it finds"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "cloudserve.yaml"
    path.write_bytes(b"models: \xff")
    with pytest.raises(ProjectError, match="not UTF-8"):
        load_project(path)


def test_an_unknown_name_hints_at_the_closest(tmp_path):
    project = load_project(written(tmp_path, GOOD))
    with pytest.raises(UserError, match="no model `minst`") as caught:
        project.model("minst")
    assert caught.value.hint == "did you mean `mnist`?"


def test_flags_take_precedence_over_the_environment_and_that_over_the_file(tmp_path):
    path = written(tmp_path, GOOD)
    environ = {"CLOUDSERVE_GCP_BUCKET": "gs://environment", "CLOUDSERVE_GCP_REGION": "r"}
    assert load_project(path, environ={}).target("gcp").fields["bucket"] == "gs://b"
    fields = load_project(path, environ=environ).target("gcp").fields
    assert (fields["bucket"], fields["region"]) == ("gs://environment", "r")
    flags = {"bucket": "gs://flag"}
    fields = load_project(path, environ=environ, overrides=flags).target("gcp").fields
    assert (fields["bucket"], fields["region"]) == ("gs://flag", "r")


def test_a_variable_belongs_to_the_target_with_the_longest_matching_name(tmp_path):
    environ = {"CLOUDSERVE_GCP_EU_BUCKET": "gs://other"}
    project = load_project(written(tmp_path, GOOD), environ=environ)
    assert project.target("gcp-eu").fields["bucket"] == "gs://other"
    assert project.target("gcp").fields == {"bucket": "gs://b"}


def test_an_empty_variable_counts_as_not_set(tmp_path):
    project = load_project(written(tmp_path, GOOD), environ={"CLOUDSERVE_GCP_BUCKET": ""})
    assert project.target("gcp").fields == {"bucket": "gs://b"}


@pytest.mark.parametrize("variable", sorted(OWN_VARIABLES))
def test_variables_of_cloudserve_are_not_fields(tmp_path, variable):
    name = variable.split("_")[1].lower()
    text = f"models:\n  m:\n    path: x\ntargets:\n  {name}:\n    provider: sagemaker"
    environ = {variable: "9000", f"CLOUDSERVE_{name.upper()}_REGION": "r"}
    project = load_project(written(tmp_path, text), environ=environ)
    assert project.target(name).fields == {"region": "r"}


def test_the_environment_is_the_processes_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_GCP_BUCKET", "gs://environment")
    path = written(tmp_path, GOOD)
    assert load_project(path).target("gcp").fields["bucket"] == "gs://environment"
    assert load_project(path, environ={}).target("gcp").fields["bucket"] == "gs://b"


def test_anchors_aliases_and_merges_are_supported(tmp_path):
    text = (
        "models: {m: {path: x}}\n"
        "targets:\n"
        "  a: &base {provider: sagemaker, bucket: s3://b}\n"
        "  b: {<<: *base, region: eu-west-1}\n"
        "  c: *base\n"
    )
    targets = load_project(written(tmp_path, text), environ={}).targets
    assert targets["b"].fields == {"bucket": "s3://b", "region": "eu-west-1"}
    assert targets["c"].fields == targets["a"].fields


def test_nested_aliases_are_read_quickly(tmp_path):
    more = (f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}, z: *a{n - 1}}}" for n in range(1, 40))
    with pytest.raises(ProjectError, match="unknown key `a0`"):
        load_project(written(tmp_path, "\n".join(["a0: &a0 {x: 1}", *more])))


def test_a_byte_order_mark_is_ignored(tmp_path):
    assert load_project(written(tmp_path, "\ufeff" + GOOD)).models


SCHEMA = json.loads((files("cloudserve") / "project.schema.json").read_text())
words = st.sampled_from(["models", "targets", "m", "a b", "path", "tags", "provider", "bucket"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("xyz: ", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(values | st.fixed_dictionaries({"models": values}, optional={"targets": values}))
def test_the_schema_for_editors_accepts_what_the_loader_accepts(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("project") / "cloudserve.yaml"
    path.write_text(yaml.safe_dump(value))
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(value)
    try:
        load_project(path)
    except ProjectError as error:
        if "would be the same model" not in error.message:  # beyond what a schema can say
            assert not fits, error
    else:
        assert fits


@given(st.text())
def test_any_text_is_loaded_or_a_project_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("project") / "cloudserve.yaml"
    path.write_text(text, "utf-8", errors="replace")
    try:
        load_project(path)
    except ProjectError as error:
        assert str(path) in str(error.where)


@pytest.fixture
def repository(tmp_path):
    """Give a Git repository with a project file, inside a folder with another one."""
    (tmp_path / "cloudserve.yaml").touch()
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "models" / "line").mkdir(parents=True)
    return repository


def test_the_project_file_is_found_above_a_folder_of_the_repository(repository):
    (repository / "cloudserve.yaml").touch()
    assert find_project_file(repository) == Path("cloudserve.yaml")
    assert find_project_file(repository / "models" / "line") == Path("../../cloudserve.yaml")


def test_the_nearest_project_file_is_used(repository):
    (repository / "cloudserve.yaml").touch()
    (repository / "models" / "cloudserve.yaml").touch()
    assert find_project_file(repository / "models" / "line") == Path("../cloudserve.yaml")


def test_a_project_file_outside_the_repository_is_not_used(repository):
    assert find_project_file(repository / "models") == Path("cloudserve.yaml")


def test_nothing_above_a_folder_without_a_repository_is_used(tmp_path):
    (tmp_path / "cloudserve.yaml").touch()
    (tmp_path / "models").mkdir()
    assert find_project_file(tmp_path / "models") == Path("cloudserve.yaml")
