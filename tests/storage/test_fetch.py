"""A model comes out of a bucket whole, with its digests, or there is no directory."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudserve.errors import CloudserveError, ConflictError, RemoteError, UserError
from cloudserve.release.upload import send_tree
from cloudserve.savedmodel import read_tree
from cloudserve.storage.events import Moved, Skipped, Told
from cloudserve.storage.fetch import fetch
from cloudserve.storage.incoming import local_path
from cloudserve.storage.manifest import Manifest, ManifestFile, Origin, manifest_of
from cloudserve.storage.retry import Retry

MIB = 1 << 20
# The clouds' clients leave the sockets of broken answers to the garbage collector.
LEFT_TO_THE_COLLECTOR = (
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
BIG = 40 * MIB + 17


@pytest.fixture
def model(file, tmp_path) -> Path:
    for name, size in {"saved_model.pb": 1000, "variables/data": BIG, "assets/empty": 0}.items():
        file(f"model/{name}", size, seed=size)
    return tmp_path / "model"


@pytest.fixture
def manifest(store, model) -> Manifest:
    """Give the manifest of the model, whose files are in the store below `m/`."""
    tree = read_tree(model)
    send_tree(store, "m/", model, tree, told=Told(lambda line: None), sent=[])
    return manifest_of(tree, Origin("ada"))


def quick() -> Retry:
    return Retry(attempts=4, first=0.01, longest=0.05)


def moved(events, kind=Moved):
    return sum(event.size for event in events if isinstance(event, kind))


def test_a_model_comes_back_as_it_was(store, manifest, model, tmp_path):
    events = []
    into = tmp_path / "back" / "model"
    assert fetch(store, "m/", manifest, into, observe=events.append)
    assert read_tree(into) == read_tree(model)
    assert moved(events) == manifest.size
    assert [path.name for path in into.parent.iterdir()] == ["model"]


def test_what_is_there_already_is_left_alone(store, manifest, tmp_path):
    into = tmp_path / "back"
    fetch(store, "m/", manifest, into)
    assert not fetch(store, "m/", manifest, into)
    (into / "saved_model.pb").write_bytes(b"mine")
    with pytest.raises(UserError, match="something else already"):
        fetch(store, "m/", manifest, into)
    assert (into / "saved_model.pb").read_bytes() == b"mine"


def test_bytes_that_are_not_those_of_the_digest_make_no_directory(store, manifest, tmp_path):
    store.write("m/saved_model.pb", bytes(1000))
    into = tmp_path / "back"
    with pytest.raises(RemoteError, match="does not have the digest"):
        fetch(store, "m/", manifest, into, retry=quick())
    assert not into.exists()


def test_a_file_that_is_missing_or_shorter_makes_no_directory(store, manifest, tmp_path):
    store.write("m/saved_model.pb", b"short")
    with pytest.raises(ConflictError, match=r"does not have saved_model\.pb"):
        fetch(store, "m/", manifest, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "", "a//b", "./a", "a/", "a\0b", ".."]
)
def test_a_name_that_leads_elsewhere_is_refused(store, tmp_path, name):
    store.write(f"m/{name}" if "\0" not in name else "m/x", b"evil")
    file = ManifestFile(name, 4, "0" * 64)
    bad = Manifest("0" * 64, 4, (file,), "eve", datetime.now(UTC))
    with pytest.raises(ConflictError):
        fetch(store, "m/", bad, tmp_path / "back" / "model")
    assert not (tmp_path / "back" / "model").exists()
    with pytest.raises(ConflictError, match="cannot be a file"):
        local_path(tmp_path, name)


def test_two_fetches_into_one_place_do_not_meet(store, manifest, tmp_path):
    into = tmp_path / "back"

    def start_another(event):
        if isinstance(event, Moved):
            with pytest.raises(ConflictError, match="another process"):
                fetch(store, "m/", manifest, into)

    fetch(store, "m/", manifest, into, observe=start_another)
    assert into.is_dir()


def test_a_disk_that_refuses_is_told_with_what_to_do(store, manifest, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written") as error:
        fetch(store, "m/", manifest, tmp_path / "file" / "model")
    assert error.value.hint is not None


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_network_does_the_next_fetch_has_the_right_bytes(
    faces, kind, open_store, bucket, store, manifest, model, tmp_path, fault_proxy, seed
):
    import random

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
            fetch(open_store(proxy.url, bucket), "m/", manifest, into, retry=quick())
        except CloudserveError:
            assert not into.exists()
    fetch(store, "m/", manifest, into)
    assert read_tree(into) == read_tree(model)


FETCHER = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import msgspec
from cloudserve.storage.fetch import fetch
from cloudserve.storage.manifest import Manifest

spec = spec_from_file_location("stores", sys.argv[1])
stores = sys.modules["stores"] = module_from_spec(spec)
spec.loader.exec_module(stores)
kind, url, bucket, into = sys.argv[2:6]
store = {"s3": stores.open_s3, "gcs": stores.open_gcs}[kind](url, bucket)
manifest = msgspec.json.decode(Path(sys.argv[6]).read_bytes(), type=Manifest)
fetch(store, "m/", manifest, Path(into))
"""


def test_a_killed_fetch_leaves_no_directory_and_the_next_goes_on(
    faces, kind, bucket, store, manifest, model, tmp_path, fault_proxy
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
        conftest = Path(__file__).with_name("conftest.py")
        arguments = [str(conftest), kind, proxy.url, bucket, str(into), str(written)]
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
    if into.exists():  # it was quicker than the kill: nothing is left to go on with
        assert read_tree(into) == read_tree(model)
        return
    events = []
    fetch(store, "m/", manifest, into, observe=events.append)
    assert moved(events, Skipped) >= 8 * MIB
    assert moved(events) + moved(events, Skipped) == manifest.size
    assert read_tree(into) == read_tree(model)
