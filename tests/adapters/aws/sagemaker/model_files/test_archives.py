"""A revision as `model.tar.gz`: made in the bucket once, and what serverless endpoints read."""

from __future__ import annotations

import io
import json
import shutil
import tarfile

import pytest
from cloudserve.adapters.aws.sagemaker.actions.steps import CreateArchive
from cloudserve.adapters.aws.sagemaker.model_files.archive import Tenths
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import RemoteError
from cloudserve.storage.contract import PartStore
from cloudserve.storage.events import Moved, Reporter
from cloudserve.testing.provider_steps import live, locate, perform, plan, promote, put
from tests.adapters.aws.conftest import deploy

BODY = b'{"instances": [1.0]}'
SCRIPT = """
import mine

def input_handler(data, context):
    return data.read()

def output_handler(response, context):
    return mine.text.encode(), "text/plain"
"""


def key_of(provider, revision):
    return f"{locate(provider, 'half', revision).root.removesuffix('/')}.tar.gz"


def names_in(provider, revision):
    content, _ = provider.blobs.read(key_of(provider, revision))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        return tar.getnames()


def test_a_release_of_archives_goes_forth_and_back(target, client, half_plus_two, half_plus_three):
    provider = target(archive=True)
    one = put(provider, "half", 1, half_plus_two)
    archive, model, *_ = steps = plan(provider, "half", one)
    url = f"{provider.blobs.url}/{key_of(provider, one)}"
    assert archive.sentence == f"make {url} of the files under {url.removesuffix('.tar.gz')}/"
    assert model.sentence.startswith(f"create the model half-{one.id} from {url} with ")
    perform(provider, steps)
    assert plan(provider, "half", one) == ()
    result = client("sagemaker").describe_model(ModelName=f"half-{one.id}")["PrimaryContainer"]
    assert (result["ModelDataUrl"], "ModelDataSource" in result) == (url, False)
    assert names_in(provider, one) == sorted(
        f"half/1/{file.relative_to(half_plus_two).as_posix()}"
        for file in half_plus_two.rglob("*")
        if file.is_file()
    )

    two = deploy(provider, 2, half_plus_three)
    observed = provider.read("half").deployment
    assert [deployed.source for deployed in observed.revisions if deployed.revision == one] == [url]
    promote(provider, "half", two)
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [3.5]}
    promote(provider, "half", one)
    assert live(provider.read("half").deployment) == {one.id: 1.0}
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}


def test_an_archive_that_exists_is_not_made_again(target, half_plus_two):
    one = deploy(target(archive=True), 1, half_plus_two)
    serverless = target(archive=True, serverless_memory_mb=2048)
    kinds = [step.kind for step in plan(serverless, "another", one)]
    assert kinds[0] == "create-archive"  # of another model's name, so of another content
    perform(serverless, plan(serverless, "half", put(serverless, "half", 1, half_plus_two))[:1])
    key = key_of(serverless, one)
    before = serverless.blobs.head(key)
    location = locate(serverless, "half", one)
    step = CreateArchive(key, location.saved_model, location.root)
    serverless._archives.make(step, Reporter(print))
    assert serverless.blobs.head(key) == before


def test_an_archive_that_was_deleted_is_made_again(target, half_plus_two):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    before = provider.blobs.read(key_of(provider, one))
    provider.blobs.delete(key_of(provider, one))
    (make,) = plan(provider, "half", one)
    (line,) = perform(provider, (make,))
    assert line.endswith(f"bytes, in {provider.blobs.url}/{key_of(provider, one)}")
    assert provider.blobs.read(key_of(provider, one)) == before  # to the byte


def test_a_target_changes_from_files_to_an_archive_and_back(target, half_plus_two):
    one = deploy(target(), 1, half_plus_two)
    for provider in (target(archive=True), target()):
        steps = plan(provider, "half", one)
        assert [step.kind for step in steps if step.kind != "create-archive"] == [
            "delete-model",
            "create-model",
            "create-endpoint-config",
            "update-endpoint",
        ]
        perform(provider, steps)
        assert plan(provider, "half", one) == ()
        assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}


def test_code_is_at_the_root_of_the_archive(target, tmp_path, half_plus_two):
    folder = tmp_path / "model"
    shutil.copytree(half_plus_two, folder)
    (folder / "code" / "lib").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text(SCRIPT)
    (folder / "code" / "lib" / "mine.py").write_text("text = 'from the script'")
    provider = target(archive=True)
    one = deploy(provider, 1, folder)
    assert {"code/inference.py", "code/lib/mine.py"} < set(names_in(provider, one))
    assert provider.predict("half", BODY) == b"from the script"


def test_files_that_were_deleted_are_reported(target, half_plus_two):
    provider = target(archive=True)
    one = put(provider, "half", 1, half_plus_two)
    (make, *_) = plan(provider, "half", one)
    for blob in list(provider.blobs.list(locate(provider, "half", one).root)):
        provider.blobs.delete(blob.key)
    with pytest.raises(RemoteError, match="files do not exist"):
        provider.perform(make, Reporter(print))


class Breaking:
    """A bucket whose objects break off, once, after so many bytes."""

    def __init__(self, blobs: PartStore, after: int) -> None:
        self._blobs = blobs
        self._after = after

    def __getattr__(self, name):
        return getattr(self._blobs, name)

    def read_range(self, blob, offset, size):
        if offset or size <= self._after:
            yield from self._blobs.read_range(blob, offset, size)
            return
        yield from self._blobs.read_range(blob, 0, self._after)
        raise RemoteError("the connection broke", where="here", retryable=True)


@pytest.mark.parametrize("after", [1, 1000])
def test_an_object_that_breaks_off_is_read_on_from_there(target, half_plus_two, lines, after):
    provider = target(archive=True)
    one = deploy(provider, 1, half_plus_two)
    key = key_of(provider, one)
    before, _ = provider.blobs.read(key)
    provider.blobs.delete(key)
    provider._archives._blobs = Breaking(provider.blobs, after)
    provider.perform(plan(provider, "half", one)[0], Reporter(lines.append))
    assert ": the connection broke; again in " in lines[0]
    assert provider.blobs.read(key)[0] == before


def test_the_progress_of_a_large_archive_is_printed_in_tenths(
    target, tmp_path, half_plus_two, lines
):
    folder = tmp_path / "model"
    shutil.copytree(half_plus_two, folder)
    (folder / "weights").write_bytes(bytes(range(256)) * (96 << 10))  # 24 MiB, three parts
    provider = target(archive=True)
    make, *_ = plan(provider, "half", put(provider, "half", 1, folder))
    provider.perform(make, Reporter(lines.append))
    *reports, end = lines
    tenths = [int(line.split()[0]) for line in reports]
    assert tenths == sorted(set(tenths))
    assert tenths
    assert {line.split(" % of ")[1] for line in reports} == {
        f"{end.split(', ')[1].split()[0]} bytes"
    }


@given(st.lists(st.integers(0, 1000)), st.integers(0, 5000))
def test_each_tenth_is_reported_once_at_most_and_the_end_never(sizes, size):
    lines = []
    tenths = Tenths(size, Reporter(lines.append))
    for part in sizes:
        tenths(Moved("key", part))
    percents = [int(line.split()[0]) for line in lines]
    assert percents == sorted(set(percents))
    assert all(0 < percent < 100 for percent in percents)
