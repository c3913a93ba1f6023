"""Without its SDK an adapter says what to install."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
from cloudserve.adapters.extras import extra

from cloudserve.errors import UserError
from cloudserve.registry import model_registry

WITHOUT_SDKS = """
import json, sys
from importlib.metadata import entry_points, packages_distributions

PLAIN = {"click", "cloudserve", "markdown_it", "mdurl", "msgspec", "pygments", "rich", "yaml"}
OF_EXTRAS = {*packages_distributions()} - PLAIN

class OnlyTheBase:
    def find_spec(self, name, path=None, target=None):
        if name == "google" or name.startswith("google.protobuf"):
            return
        if name.partition(".")[0] in OF_EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyTheBase())

from cloudserve.errors import MissingExtraError
from cloudserve.project import Target

found = {}
for group, arguments in json.load(sys.stdin).items():
    for point in entry_points(group=f"cloudserve.{group}"):
        for of, given in arguments.items():
            if point.name == of:
                given = [Target("mine", of, given[0]), {}] if group == "adapters" else given
                try:
                    point.load()(*given)
                except MissingExtraError as error:
                    found[f"{group} {of}"] = [error.message, error.hint]
print(json.dumps(found))
"""
SAGEMAKER = {
    "bucket": "s3://some-bucket",
    "role_arn": "arn:aws:iam::000000000000:role/x",
    "region": "eu-west-1",
}
GOOGLE = {"bucket": "gs://some-bucket", "project": "p"}
ENDPOINT = {"project": "p", "region": "us-central1", "endpoint": "1", "model": "m"}
ENTRIES = {
    "adapters": {"sagemaker": [SAGEMAKER], "vertex": [GOOGLE], "ai-platform": [GOOGLE]},
    "storage": {"s3": ["s3://b", {}], "gs": ["gs://b", {}]},
    "endpoints": {name: ["it", ENDPOINT, {}] for name in ("sagemaker", "vertex", "ai-platform")},
    "registries": {name: [f"{name}:/half/1", {}] for name in ("models", "runs")},
}
EXTRAS = {"sagemaker": "aws", "s3": "aws", "models": "mlflow", "runs": "mlflow"}


@pytest.fixture(scope="module")
def refusals():
    """What each entry point raises in a process that only has the packages of a plain install."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDKS],
        input=json.dumps(ENTRIES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(("group", "name"), [(g, n) for g, names in ENTRIES.items() for n in names])
def test_a_missing_package_names_its_extra(refusals, group, name):
    what = {"adapters": "target mine", "endpoints": "it"}.get(group) or ENTRIES[group][name][0]
    assert refusals[f"{group} {name}"] == [
        f"{what} needs packages that are not installed",
        f"pip install 'cloudserve[{EXTRAS.get(name, 'gcp')}]'",
    ]


def test_another_registry_than_that_of_the_process_is_refused():
    with pytest.raises(UserError, match="`MLFLOW_TRACKING_URI` is not that of this process"):
        model_registry("models:/half/1", {"MLFLOW_TRACKING_URI": "https://other"})


def test_a_missing_module_of_our_own_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match="no_such"), extra("x", "aws"):
        importlib.import_module("cloudserve.adapters.no_such")
