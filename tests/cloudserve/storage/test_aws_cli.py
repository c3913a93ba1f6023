"""The aws command line, where it is installed, against our store."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from cloudserve.savedmodel import read_tree
from cloudserve.storage.manifest import Origin
from cloudserve.storage.versions import find_versions, publish

pytestmark = pytest.mark.skipif(shutil.which("aws") is None, reason="the aws CLI is not installed")


@pytest.fixture
def aws(faces, tmp_path):
    """Give a function that runs the aws CLI against our store, and fails with what it said."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": faces["s3"],
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        **{name: os.environ[name] for name in ("PYENV_ROOT",) if name in os.environ},
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["aws", *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    if subprocess.run(
        ["aws", "--version"], env=environ, capture_output=True, check=False
    ).returncode:
        pytest.skip("the aws CLI that is installed does not run")
    return run


def test_a_model_that_the_cli_copied_is_a_version_and_comes_back(
    aws, faces, s3_at, bucket, shared_models, tmp_path
):
    source = shared_models / "tfs_half_plus_two_2v" / "123"
    aws("s3", "mb", f"s3://{bucket}")
    aws("s3", "cp", "--recursive", str(source), f"s3://{bucket}/half/7", "--only-show-errors")
    store = s3_at(faces["s3"], bucket)
    assert find_versions(store, "half/").keys() == {7}
    publish(store, "half/", 8, source, origin=Origin("ada"))
    aws("s3", "sync", f"s3://{bucket}/half/8", str(tmp_path / "back"), "--only-show-errors")
    assert read_tree(tmp_path / "back") == read_tree(source)


def test_a_file_of_many_parts_goes_up_and_down(aws, bucket, file, tmp_path):
    path = file("weights", 20 << 20)
    aws("s3", "mb", f"s3://{bucket}")
    aws("s3", "cp", str(path), f"s3://{bucket}/weights", "--only-show-errors")
    aws("s3", "cp", f"s3://{bucket}/weights", str(tmp_path / "back"), "--only-show-errors")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert "weights" in aws("s3", "ls", f"s3://{bucket}/")
    aws("s3", "rb", "--force", f"s3://{bucket}")
