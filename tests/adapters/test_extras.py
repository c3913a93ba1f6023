"""Without its SDK an adapter says what to install."""

from __future__ import annotations

import importlib
import os
import sys

import pytest
from cloudserve.adapters.extras import extra

from cloudserve.errors import MissingExtraError, UserError
from cloudserve.project import Target
from cloudserve.registry import model_registry

AWS = {
    "bucket": "s3://some-bucket",
    "role_arn": "arn:aws:iam::000000000000:role/x",
    "region": "eu-west-1",
}
GOOGLE = ("ai_platform.api", "googleapi", "vertex.api", "gcs.store", "errors")
AWS_OWN = ("sagemaker.api", "session", "s3.store", "errors")
GCP = {"bucket": "gs://some-bucket", "project": "p"}


@pytest.mark.parametrize(
    ("module", "fields", "sdk", "own", "name"),
    [
        ("aws.sagemaker.provider", AWS, "boto3", AWS_OWN, "aws"),
        ("google.ai_platform.provider", GCP, "googleapiclient", GOOGLE, "gcp"),
        ("google.vertex.provider", GCP, "googleapiclient", GOOGLE, "gcp"),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, module, fields, sdk, own, name):
    adapter = importlib.import_module(f"cloudserve.adapters.{module}")
    package = f"cloudserve.adapters.{module.partition('.')[0]}"
    for loaded in [m for m in sys.modules if m == sdk or m.startswith(f"{sdk}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, sdk, None)
    for part in own:
        monkeypatch.delitem(sys.modules, f"{package}.{part}", raising=False)
    with pytest.raises(MissingExtraError) as error:
        adapter.create(Target("mine", "x", fields), {})
    assert error.value.message == "target mine needs packages that are not installed"
    assert error.value.hint == f"pip install 'cloudserve[{name}]'"


def test_a_path_of_mlflow_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for part in ("errors", "registry"):
        monkeypatch.delitem(sys.modules, f"cloudserve.adapters.mlflow.{part}", raising=False)
    with pytest.raises(MissingExtraError) as error:
        model_registry("models:/half@champion", os.environ)
    assert error.value.message == "models:/half@champion needs packages that are not installed"
    assert error.value.hint == "pip install 'cloudserve[mlflow]'"


def test_another_registry_than_that_of_the_process_is_refused():
    with pytest.raises(UserError, match="`MLFLOW_TRACKING_URI` is not that of this process"):
        model_registry("models:/half/1", {"MLFLOW_TRACKING_URI": "https://other"})


def test_a_missing_module_of_our_own_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match="no_such"), extra("x", "aws"):
        importlib.import_module("cloudserve.adapters.no_such")
