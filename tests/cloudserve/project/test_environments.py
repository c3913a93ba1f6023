"""Environments of a project file: overrides of targets' fields, chosen by name."""

from __future__ import annotations

import pytest

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import load_project
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.owner import Owner
from cloudserve.release.state.layout import Layout

FILE = """\
name: shop
models:
  m:
    path: m
targets:
  aws:
    provider: sagemaker
    bucket: s3://one
    tags: {team: vision, stage: dev}
    gates: {load: false}
environments:
  prod:
    targets:
      aws:
        bucket: s3://two
        tags: {stage: prod}
        instance_type: ml.c5.xlarge
  bare: {targets: {aws: {tags: null}}}
"""


@pytest.fixture
def load(tmp_path):
    def load(text=FILE, environ=None, **more):
        path = tmp_path / "cloudserve.yaml"
        path.write_text(text)
        return load_project(path, environ=environ or {}, **more)

    return load


def test_overrides_are_merged_into_the_targets_fields(load):
    target = load(environment="prod").target("aws")
    assert target.fields == {
        "bucket": "s3://two",
        "tags": {"team": "vision", "stage": "prod"},
        "instance_type": "ml.c5.xlarge",
    }
    assert not target.gates.load
    assert target.where_of("tags.team").endswith("cloudserve.yaml:9: targets.aws.tags.team")
    assert target.where_of("bucket").endswith(
        "cloudserve.yaml:15: environments.prod.targets.aws.bucket"
    )


def test_null_removes_a_field(load):
    assert load(environment="bare").target("aws").fields == {"bucket": "s3://one"}


def test_the_variable_chooses_and_a_flag_or_a_variable_of_the_target_goes_over_it(load):
    environ = {"CLOUDSERVE_ENV": "prod", "CLOUDSERVE_AWS_BUCKET": "s3://three"}
    assert load(environ=environ).target("aws").fields["bucket"] == "s3://three"
    assert load(environ=environ, environment="").environment == ""
    overrides = {"instance_type": "ml.m5.large"}
    target = load(environ=environ, overrides=overrides).target("aws")
    assert target.fields["instance_type"] == "ml.m5.large"


def test_environments_own_nothing_in_common(load):
    projects = [load(environment=name) for name in ("", "prod", "bare")]
    names = [project.name for project in projects]
    assert names == ["shop", "shop--prod", "shop--bare"]
    owners = {Owner.of(project.target("aws"), "bucket").tags.values() for project in projects}
    assert len(owners) == 3
    ledgers = {Layout("s3://bucket", "m", "aws", name).ledger for name in names}
    assert len(ledgers) == 3


def test_no_project_is_named_like_an_environment_of_another(load):
    with pytest.raises(ProjectError, match="`shop--prod` is not a project name"):
        load(FILE.replace("name: shop", "name: shop--prod"))


def test_the_destination_names_the_environment_and_a_plan_for_another_is_not_the_same(load):
    offline = Destination("aws", "http://127.0.0.1:8900")
    made = destination_of(load(environment="prod").target("aws"), offline)
    assert str(made) == "aws · offline http://127.0.0.1:8900 · environment prod"
    assert not made.is_same(offline)
    real = Destination("aws", "", "account 1", "eu-west-1", "role R", "prod")
    assert str(real) == "aws · account 1 · eu-west-1 · role R · environment prod"


@pytest.mark.parametrize(
    ("old", "new", "message", "place", "hint"),
    [
        ("name: shop\n", "", "needs a `name`", ":10: environments", "separates"),
        (
            "      aws:\n        b",
            "      awss:\n        b",
            "unknown target `awss`",
            ":14:",
            "`aws`",
        ),
        (
            "    targets:\n      aws:\n",
            "    target:\n      aws:\n",
            "unknown key `target`",
            ":13:",
            "targets",
        ),
        ("  prod:", "  Prod:", "`Prod` is not an environment's name", ":12:", "lower-case"),
        ("bare: {targets: {aws: {tags: null}}}", "bare: 3", "must be a mapping", ":18:", "FIELD"),
        (
            "        bucket: s3://two",
            "        provider: vertex",
            "not change the `provider`",
            ":15:",
            "",
        ),
    ],
)
def test_a_wrong_environment_is_refused_with_its_line(load, old, new, message, place, hint):
    assert old in FILE
    with pytest.raises(ProjectError, match=message) as caught:
        load(FILE.replace(old, new, 1))
    assert place in caught.value.where
    assert hint in (caught.value.hint or "")


def test_an_unknown_environment_is_refused_with_the_near_one(load):
    with pytest.raises(UserError, match="no environment `prd`") as caught:
        load(environment="prd")
    assert caught.value.hint == "did you mean `prod`?"
