"""A model is downloaded completely, with verified digests, or there is no directory."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudserve.errors import CloudserveError, ConflictError, RemoteError, UserError
from cloudserve.release.transfer.upload import send_files
from cloudserve.savedmodel import read_tree
from cloudserve.storage.contract import Blob, BlobStore
from cloudserve.storage.download.partial_file import Incoming, PartialFile, local_path
from cloudserve.storage.download.tree import download_tree
from cloudserve.storage.events import SILENT, Moved, Reporter, Skipped
from cloudserve.storage.manifest import Manifest, ManifestFile, Origin, manifest_of
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import part_ranges
from cloudserve.storage.upload.outgoing import outgoing_files

MIB = 1 << 20
BIG = 40 * MIB + 17
SHARED = "cloudserve-storage-fetched"


SIZES = {"saved_model.pb": 1000, "variables/data": BIG, "assets/empty": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("source") / "model"
    for name, size in SIZES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(random.Random(size).randbytes(size))
    return root


@pytest.fixture(scope="module")
def shared(faces, s3_at, gcs_at, model) -> Mapping[str, BlobStore]:
    """Give a bucket of each kind that has the model below `m/`, and is only read from."""
    made = {"s3": s3_at(faces["s3"], SHARED), "gcs": gcs_at(faces["gcs"], f"{SHARED}-g")}
    for store in made.values():
        store.ensure(SILENT)
        send_files(store, "m/", outgoing_files(model, read_tree(model), "m/"), SILENT, [])
    return made


@pytest.fixture
def full(shared, kind) -> BlobStore:
    return shared[kind]


@pytest.fixture(scope="module")
def manifest(model) -> Manifest:
    return manifest_of(read_tree(model), Origin("ada"))


@pytest.fixture
def small(store, file, tmp_path) -> Manifest:
    """Give the manifest of a model of one small file, which is in a bucket of the test's own."""
    file("small/saved_model.pb", 1000)
    tree = read_tree(tmp_path / "small")
    send_files(store, "m/", outgoing_files(tmp_path / "small", tree, "m/"), SILENT, [])
    return manifest_of(tree, Origin("ada"))


def bucket_of(store: BlobStore) -> str:
    return store.url.partition("://")[2]


def quick() -> Retry:
    return Retry(attempts=4, first=0.01, longest=0.05)


def moved(events, kind=Moved):
    return sum(event.size for event in events if isinstance(event, kind))


def test_a_downloaded_model_equals_the_uploaded_one(full, manifest, model, tmp_path):
    events = []
    into = tmp_path / "back" / "model"
    assert download_tree(full, "m/", manifest, into, reporter=Reporter(on_event=events.append))
    assert read_tree(into) == read_tree(model)
    assert moved(events) == manifest.size
    assert [path.name for path in into.parent.iterdir()] == ["model"]


def test_an_existing_destination_is_left_alone(store, small, tmp_path):
    into = tmp_path / "back"
    download_tree(store, "m/", small, into)
    assert not download_tree(store, "m/", small, into)
    (into / "saved_model.pb").write_bytes(b"mine")
    with pytest.raises(UserError, match="the directory is not empty"):
        download_tree(store, "m/", small, into)
    assert (into / "saved_model.pb").read_bytes() == b"mine"


def test_bytes_that_are_not_those_of_the_digest_make_no_directory(store, small, tmp_path):
    store.write("m/saved_model.pb", bytes(1000))
    into = tmp_path / "back"
    with pytest.raises(RemoteError, match="does not have the digest"):
        download_tree(store, "m/", small, into, retry=quick())
    assert not into.exists()


def test_a_file_that_is_missing_or_shorter_makes_no_directory(store, small, tmp_path):
    store.write("m/saved_model.pb", b"short")
    with pytest.raises(ConflictError, match=r"does not have saved_model\.pb"):
        download_tree(store, "m/", small, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "", "a//b", "./a", "a/", "a\0b", ".."]
)
def test_a_name_that_leads_elsewhere_is_refused(store, tmp_path, name):
    store.write(f"m/{name}" if "\0" not in name else "m/x", b"evil")
    file = ManifestFile(name, 4, "0" * 64)
    bad = Manifest("0" * 64, 4, (file,), "eve", datetime.now(UTC))
    with pytest.raises(ConflictError):
        download_tree(store, "m/", bad, tmp_path / "back" / "model")
    assert not (tmp_path / "back" / "model").exists()
    with pytest.raises(ConflictError, match="cannot be a file"):
        local_path(tmp_path, name)


def test_two_fetches_into_one_place_do_not_meet(full, manifest, tmp_path):
    into = tmp_path / "back"

    def start_another(event):
        if isinstance(event, Moved):
            with pytest.raises(ConflictError, match="another process"):
                download_tree(full, "m/", manifest, into)

    download_tree(full, "m/", manifest, into, reporter=Reporter(on_event=start_another))
    assert into.is_dir()


def test_a_disk_that_refuses_is_reported_with_a_hint(full, manifest, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written") as error:
        download_tree(full, "m/", manifest, tmp_path / "file" / "model")
    assert error.value.hint is not None


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_network_does_the_next_fetch_has_the_right_bytes(
    faces, kind, open_store, full, manifest, model, tmp_path, fault_proxy, seed
):
    chance = random.Random(seed)

    def plan(number):
        where = chance.randrange(20 * MIB)
        kinds = [
            {"cut_answer_at": where},
            {"flip_answer_at": where},
            {"flip_answer_at": chance.randrange(800)},
            {"status": 503},
        ]
        return fault_proxy.Fault(**(chance.choice(kinds) if chance.random() < 0.5 else {}))

    into = tmp_path / "back"
    port = int(faces[kind].rpartition(":")[2])
    with fault_proxy.FaultProxy(port, plan) as proxy:
        try:
            download_tree(
                open_store(proxy.url, bucket_of(full)),
                "m/",
                manifest,
                into,
                retry=quick(),
            )
        except CloudserveError:
            assert not into.exists()
    download_tree(full, "m/", manifest, into)
    assert read_tree(into) == read_tree(model)


@pytest.mark.parametrize(
    ("journal", "size"),
    [("", set()), ("1\n2\n", {1, 2}), ("1\n12", {1}), ("3\nnonsense\n99\n", {3}), ("ü", set())],
)
def test_a_journal_counts_as_far_as_its_lines_are_whole(tmp_path, journal, size):
    file = Incoming("data", Blob("key", 12, "1"), tmp_path / "data", "0" * 64)
    (tmp_path / "data.cloudserve-part").write_bytes(bytes(12))
    (tmp_path / "data.cloudserve-parts").write_text(journal, "utf-8")
    assert PartialFile(file, part_ranges(12, part=1)).open() == size


FETCHER = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import msgspec
from cloudserve.storage.download.tree import download_tree
from cloudserve.storage.manifest import Manifest

spec = spec_from_file_location("stores", sys.argv[1])
stores = sys.modules["stores"] = module_from_spec(spec)
spec.loader.exec_module(stores)
kind, url, bucket, into = sys.argv[2:6]
store = {"s3": stores.open_s3, "gcs": stores.open_gcs}[kind](url, bucket)
manifest = msgspec.json.decode(Path(sys.argv[6]).read_bytes(), type=Manifest)
download_tree(store, "m/", manifest, Path(into))
"""


def test_a_killed_download_leaves_no_directory_and_the_next_resumes(
    faces, kind, full, manifest, model, tmp_path, fault_proxy
):
    import msgspec

    written = tmp_path / "manifest.json"
    written.write_bytes(msgspec.json.encode(manifest))
    into = tmp_path / "back"
    port = int(faces[kind].rpartition(":")[2])
    # Each connection is let through for one part and a half.
    with fault_proxy.FaultProxy(
        port, lambda number: fault_proxy.Fault(stall_answer_at=24 * MIB)
    ) as proxy:
        conftest = Path(__file__).parents[1] / "conftest.py"
        arguments = [
            str(conftest),
            kind,
            proxy.url,
            bucket_of(full),
            str(into),
            str(written),
        ]
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", FETCHER, *arguments])
        try:
            staging = tmp_path / f".back.partial-{manifest.digest[:12]}"
            journal = staging / "variables" / "data.cloudserve-parts"
            while not journal.is_file() or not journal.stat().st_size:
                assert process.poll() in {None, 0}
                if process.poll() == 0:
                    break
                os.sched_yield()
        finally:
            process.kill()
            process.wait(30)
    if into.exists():  # it was quicker than the kill: nothing is left to continue
        assert read_tree(into) == read_tree(model)
        return
    events = []
    download_tree(full, "m/", manifest, into, reporter=Reporter(on_event=events.append))
    assert moved(events, Skipped) >= 8 * MIB
    assert moved(events) + moved(events, Skipped) == manifest.size
    assert read_tree(into) == read_tree(model)
