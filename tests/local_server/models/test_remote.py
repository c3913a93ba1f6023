"""Base paths in buckets: the chosen versions are downloaded, and served when complete."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from cloudserve.adapters.directory.storage import DirectoryBlobs
from cloudserve.local_server.config import ModelConfig, Specific
from cloudserve.local_server.models import FileSystemSource
from cloudserve.local_server.models.remote import RemoteBases

from cloudserve.errors import RemoteError
from cloudserve.savedmodel import read_tree
from cloudserve.storage.events import SILENT
from cloudserve.storage.manifest import Origin
from cloudserve.storage.versions import publish

URL = "gs://models/base"


@pytest.fixture
def model(shared_models, tmp_path):
    return shutil.copytree(shared_models / "tfs_half_plus_two_2v" / "123", tmp_path / "model")


class Bucket(DirectoryBlobs):
    """A bucket that can be out of reach."""

    reachable = True

    def list(self, prefix):
        if not self.reachable:
            raise RemoteError("no answer")
        return super().list(prefix)


@pytest.fixture
def bucket(tmp_path):
    made = Bucket(tmp_path / "bucket")
    made.ensure(SILENT)
    return made


@pytest.fixture
def bases(bucket, tmp_path):
    """Give what finds base paths in the bucket; its clock is a minute later at each look."""
    times = iter(range(0, 6000, 60))
    made = RemoteBases(
        {"CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")},
        open_bucket=lambda url, environ: (bucket, "base/"),
        clock=lambda: float(next(times)),
    )
    yield made
    made.close()


def put(bucket, number, model):
    publish(bucket, "base/", number, model, origin=Origin("ada"))


def test_the_newest_version_is_fetched_and_no_other(bases, bucket, model):
    put(bucket, 1, model)
    put(bucket, 2, model)
    result = bases.find(ModelConfig("half", URL))
    assert result.keys() == {1, 2}
    assert read_tree(result[2]).digest == read_tree(model).digest
    assert not result[1].exists()


def test_a_version_named_by_the_policy_is_fetched(bases, bucket, model):
    put(bucket, 1, model)
    put(bucket, 2, model)
    result = bases.find(ModelConfig("half", URL, policy=Specific(frozenset({1}))))
    assert result[1].is_dir()
    assert not result[2].exists()


def test_a_base_path_that_is_an_empty_folder_of_a_console_is_there(bases, bucket):
    bucket.write("base/", b"")
    assert bases.find(ModelConfig("half", URL)) == {}


def test_folders_of_consoles_hide_no_version(bases, bucket, model):
    put(bucket, 1, model)
    for folder in ("base/", "base/1/", "base/1/variables/", "base/2/"):
        bucket.write(folder, b"")
    assert read_tree(bases.find(ModelConfig("half", URL))[1]).digest == read_tree(model).digest


def test_a_version_that_is_incomplete_is_ignored_for_the_one_before(bases, bucket, model, caplog):
    put(bucket, 1, model)
    before = bases.find(ModelConfig("half", URL))
    for path in sorted(model.rglob("*")):
        if path.is_file():
            name = path.relative_to(model)
            half = path.read_bytes()[: path.stat().st_size // 2]
            bucket.write(f"base/2/{name}", half if "data-" in path.name else path.read_bytes())
    for _ in range(3):
        assert bases.find(ModelConfig("half", URL)) == before
    (line,) = [line for line in caplog.messages if line.startswith("version 2 of half")]
    assert line.startswith("version 2 of half is not fetched: ")
    data = "variables/variables.data-00000-of-00001"
    bucket.write(f"base/2/{data}", (model / data).read_bytes())
    assert bases.find(ModelConfig("half", URL)).keys() == {1, 2}


def test_a_bucket_out_of_reach_leaves_what_is_served(bases, bucket, model):
    put(bucket, 1, model)
    aspired = {}
    source = FileSystemSource(aspired.__setitem__, remote=bases.find)
    source.configure([ModelConfig("half", URL)])
    asyncio.run(source.poll())
    served = aspired["half"]
    assert served.keys() == {1}
    bucket.reachable = False
    asyncio.run(source.poll())
    assert aspired["half"] == served
    assert "NOT_FOUND" in source.problems["half"]
    assert "no answer" in source.problems["half"]


def test_a_bucket_is_not_listed_at_each_look(bucket, model, tmp_path):
    now = [0.0]
    bases = RemoteBases(
        {"CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")},
        open_bucket=lambda url, environ: (bucket, "base/"),
        clock=lambda: now[0],
    )
    put(bucket, 1, model)
    bases.find(ModelConfig("half", URL))
    put(bucket, 2, model)
    now[0] = 9.0
    assert bases.find(ModelConfig("half", URL)).keys() == {1}
    now[0] = 11.0
    assert bases.find(ModelConfig("half", URL)).keys() == {1, 2}
    bases.close()


def test_two_servers_of_one_machine_have_a_cache_each(bases, bucket, model, tmp_path):
    put(bucket, 1, model)
    other = RemoteBases(
        {"CLOUDSERVE_MODEL_CACHE": str(tmp_path / "cache")},
        open_bucket=lambda url, environ: (bucket, "base/"),
    )
    paths = [each.find(ModelConfig("half", URL))[1] for each in (bases, other)]
    other.close()
    assert paths[0] != paths[1]
    assert all(path.is_dir() for path in paths)


def test_a_base_path_with_nothing_there_is_a_problem(bases):
    with pytest.raises(OSError, match="there is nothing at gs://models/base"):
        bases.find(ModelConfig("half", URL))
