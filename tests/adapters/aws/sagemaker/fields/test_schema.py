"""The schema of the project file for editors takes what the adapter takes."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files

import jsonschema
import pytest
from cloudserve.adapters.aws.sagemaker.fields.options import Options, Update
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.errors import ProjectError
from cloudserve.project import Target

FIELDS = {
    "bucket": "s3://some-bucket",
    "role_arn": "arn:aws:iam::000000000000:role/serving",
    "region": "eu-west-1",
}
SCHEMA = json.loads((files("cloudserve") / "project.schema.json").read_text())


def in_a_project(**fields):
    target = {"provider": "sagemaker", **FIELDS, **fields}
    return {"models": {"m": {"path": "m"}}, "targets": {"aws": target}}


def fits(document):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_the_schema_for_editors_names_the_fields_and_no_others():
    (rule,) = SCHEMA["properties"]["targets"]["additionalProperties"]["allOf"]
    named = set(rule["then"]["properties"])
    assert named == {field.name for field in dataclasses.fields(Options)}


@pytest.mark.parametrize(
    "fields",
    [
        {"serverless_memory_mb": 2048, "serverless_concurrency": "20"},
        *({"update": update.value} for update in Update),
        {"env": {"SAGEMAKER_TFS_NGINX_LOGLEVEL": "info"}, "capture_percent": 100},
        {"archive": True},
        {"multi_model": "all"},
        {"image": None, "instance_count": 3, "async_output": "s3://some-bucket/answers"},
    ],
)
def test_the_schema_for_editors_takes_what_the_adapter_takes(fields):
    assert fits(in_a_project(**fields))
    create(Target("aws", "sagemaker", FIELDS | {"timeout_seconds": 3600} | fields), {})


@pytest.mark.parametrize(
    "fields",
    [
        {"serverless_memory_mb": 1500},
        {"update": "gradually"},
        {"instance_count": 0},
        {"capture_percent": 101},
        {"update_percent": 60},
        {"startup_seconds": 4000},
        {"role_arn": 5},
        {"tensorflow_version": 2.2},
    ],
)
def test_the_schema_for_editors_refuses_what_the_adapter_refuses(fields):
    assert not fits(in_a_project(**fields))
    with pytest.raises(ProjectError):
        create(Target("aws", "sagemaker", FIELDS | fields), {})
