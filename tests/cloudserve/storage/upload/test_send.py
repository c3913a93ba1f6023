"""Files arrive whole whatever happens on the way, and what arrived is not sent again."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

from cloudserve.errors import CloudserveError, ModelError, RemoteError
from cloudserve.storage.contract import UploadGoneError
from cloudserve.storage.events import SILENT, FileDone, Moved, Reporter, Retrying, Skipped
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer, part_ranges
from cloudserve.storage.upload.file_slice import FileSlice
from cloudserve.storage.upload.outgoing import SHA256, Outgoing
from cloudserve.storage.upload.send import Sender

MIB = 1 << 20
PART = 5 * MIB
BIG = 3 * PART + 123


def quick(attempts: int = 4) -> Retry:
    return Retry(attempts=attempts, first=0.01, longest=0.05)


def outgoing(path: Path, name: str | None = None) -> Outgoing:
    data = path.read_bytes()
    key = f"model/{name or path.name}"
    metadata = {SHA256: hashlib.sha256(data).hexdigest()}
    return Outgoing(name or path.name, path, key, len(data), metadata)


def send(store, files, events=None, retry=None, part=PART):
    existing = {blob.key: blob for blob in store.list("model/")}
    reporter = SILENT if events is None else Reporter(on_event=events.append)
    Sender(store, Transfer(reporter, retry or quick(), part)).send(files, existing)


def holds(store, file: Outgoing) -> bool:
    result = store.read(file.key)
    return result is not None and result[0] == file.path.read_bytes()


def moved(events, kind=Moved) -> int:
    return sum(event.size for event in events if isinstance(event, kind))


def upstream(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
def tree(file) -> list[Outgoing]:
    """Give files of all kinds: none, one and several parts."""
    sizes = {"empty": 0, "small": 1000, "one part": PART, "big": BIG, "ü/deep": 7}
    return [outgoing(file(name, size, size), name) for name, size in sizes.items()]


def test_files_of_any_size_arrive_and_say_their_digest(store, tree):
    send(store, tree)
    for each in tree:
        assert holds(store, each)
        assert each.is_like(store.head(each.key))
    assert sorted(blob.key for blob in store.list("model/")) == sorted(f.key for f in tree)


def test_only_a_changed_file_is_sent_again(store, tree, file):
    send(store, tree)
    events = []
    send(store, tree, events)
    assert moved(events) == 0
    assert moved(events, Skipped) == sum(each.size for each in tree)
    changed = outgoing(file("small", 1000, seed=99), "small")
    events.clear()
    send(store, [changed, *(each for each in tree if each.name != "small")], events)
    assert moved(events) == 1000
    assert holds(store, changed)


def test_the_events_of_a_file_add_up_to_its_size(store, tree):
    events = []
    send(store, tree, events)
    sizes = defaultdict(int)
    for event in events:
        if isinstance(event, Moved | Skipped):
            assert event.size > 0
            sizes[event.path] += event.size
    assert sizes == {each.name: each.size for each in tree if each.size}
    assert {event.path for event in events if isinstance(event, FileDone)} == {
        each.name for each in tree
    }


# Whatever the network does


def random_plan(seed: int, faulty: float, fault_type):
    """Return a plan that treats this share of the connections badly, each in its own way."""
    chance = random.Random(seed)
    faults = {}

    def plan(number):
        if number not in faults:
            where = chance.randrange(2 * PART)
            kinds = [
                {"cut_at": where},
                {"flip_at": where},
                {"flip_at": chance.randrange(1500)},
                {"cut_answer_at": chance.randrange(300)},
                {"status": chance.choice([429, 500, 503])},
                {"status": 503, "retry_after": "0"},
                {"delay": 0.05},
            ]
            bad = chance.random() < faulty
            faults[number] = fault_type(**chance.choice(kinds)) if bad else fault_type()
        return faults[number]

    return plan


@pytest.mark.parametrize("seed", range(3))
def test_the_next_run_ends_with_the_right_bytes_whatever_happened(
    faces, kind, open_store, store, bucket, tree, fault_proxy, seed
):
    plan = random_plan(seed, 0.6, fault_proxy.Fault)
    with (
        fault_proxy.FaultProxy(upstream(faces[kind]), plan) as proxy,
        suppress(CloudserveError),  # many runs fail; what they leave is what is looked at
    ):
        send(open_store(proxy.url, bucket), tree)
    for each in tree:  # what says that it is the file is the file
        if each.is_like(store.head(each.key)):
            assert holds(store, each)
    send(store, tree)
    assert all(holds(store, each) for each in tree)


def test_a_flipped_byte_in_a_body_is_refused_and_sent_again(
    faces, kind, open_store, store, bucket, file, fault_proxy
):
    big = outgoing(file("big", BIG))
    flips = iter([3 * MIB, 2 * MIB, 4 * MIB])

    def plan(number):
        return fault_proxy.Fault(flip_at=next(flips, None)) if number else fault_proxy.GOOD

    events = []
    with fault_proxy.FaultProxy(upstream(faces[kind]), plan) as proxy:
        send(open_store(proxy.url, bucket), [big], events)
    assert [event for event in events if isinstance(event, Retrying)]
    assert holds(store, big)


class Pauses(threading.Event):
    """Notes the pauses that are asked for, and makes none."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_is_heeded(faces, kind, open_store, store, bucket, file, fault_proxy, status):
    small = outgoing(file("small", 1000))

    def plan(number):
        # Google's client makes a first request of its own, whose failure it passes over.
        return fault_proxy.Fault(status=status, retry_after="7") if number < 2 else fault_proxy.GOOD

    events = []
    with fault_proxy.FaultProxy(upstream(faces[kind]), plan) as proxy:
        retry = Retry(attempts=4, first=0.01, longest=0.05, stop=Pauses())
        sender = Sender(
            open_store(proxy.url, bucket), Transfer(Reporter(on_event=events.append), retry)
        )
        sender.send([small], {})
    pauses = [event.seconds for event in events if isinstance(event, Retrying)]
    assert pauses
    assert min(pauses) >= 7
    assert retry.stop.seconds == pauses
    assert holds(store, small)


def test_a_service_that_keeps_failing_is_an_error_that_names_the_call(
    faces, kind, open_store, bucket, file, fault_proxy
):
    small = outgoing(file("small", 1000))
    with (
        fault_proxy.FaultProxy(
            upstream(faces[kind]), lambda number: fault_proxy.Fault(status=503)
        ) as proxy,
        pytest.raises(RemoteError, match="upload small to") as error,
    ):
        Sender(open_store(proxy.url, bucket), Transfer(SILENT, quick())).send([small], {})
    assert (error.value.status, error.value.retryable) == (503, True)
    assert error.value.where == proxy.url


# From one process to the next

UPLOADER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from importlib.util import module_from_spec, spec_from_file_location

def load(name, path):
    spec = spec_from_file_location(name, path)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

tests = load("uploading", sys.argv[1])
stores = load("stores", sys.argv[2])
kind, url, bucket, path = sys.argv[3:]
store = {"s3": stores.open_s3, "gcs": stores.open_gcs}[kind](url, bucket)
tests.send(store, [tests.outgoing(Path(path))])
"""


def run_uploader(kind, url, bucket, path):
    here = Path(__file__)
    stores = here.parents[1] / "conftest.py"
    command = [sys.executable, "-W", "ignore", "-c", UPLOADER, here, stores]
    return subprocess.Popen([*map(str, command), kind, url, bucket, str(path)])


def test_a_killed_upload_is_resumed_by_parts_in_another_process(
    faces, kind, open_store, store, bucket, file, fault_proxy
):
    big = outgoing(file("big", 10 * PART))

    def plan(number):
        # All connections stall once the upload is well under way; none says why.
        return fault_proxy.Fault(stall_at=PART + 3 * MIB)

    with fault_proxy.FaultProxy(upstream(faces[kind]), plan) as proxy:
        process = run_uploader(kind, proxy.url, bucket, big.path)
        try:
            assert proxy.stalled.wait(60)
            deadline = threading.Event()
            while not (uploads := store.open_uploads(big.key)) or not store.parts(
                big.key, uploads[0]
            ):
                deadline.wait(0.02)
        finally:
            process.kill()
            process.wait(30)
    assert store.head(big.key) is None
    (upload,) = store.open_uploads(big.key)
    kept = sum(part.size for part in store.parts(big.key, upload))
    assert kept >= PART

    events = []
    with fault_proxy.FaultProxy(upstream(faces[kind])) as proxy:
        send(open_store(proxy.url, bucket), [big], events)
    # What had come whole before the kill may have become a part since the look at them.
    skipped = moved(events, Skipped)
    assert skipped >= kept
    assert moved(events) == big.size - skipped
    assert big.size - skipped <= proxy.sent < big.size - skipped + MIB
    assert holds(store, big)
    assert store.open_uploads(big.key) == ()


def test_parts_of_another_file_are_not_reused(store, file):
    old, new = outgoing(file("old", BIG, 1), "big"), outgoing(file("new", BIG, 2), "big")
    upload = store.begin(old.key, old.metadata)
    for span in part_ranges(BIG, PART)[:3]:
        with FileSlice(old.path, span.offset, span.size) as body:
            store.send_part(old.key, upload, span.number, body)
    send(store, [new])
    assert holds(store, new)
    assert new.is_like(store.head(new.key))
    assert store.open_uploads(new.key) == ()


def test_two_clients_that_send_the_same_file_produce_one_copy(store, file):
    big = outgoing(file("big", BIG))
    errors = []

    def upload():
        try:
            send(store, [big])
        except CloudserveError as error:
            errors.append(error)

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert holds(store, big)
    assert store.open_uploads(big.key) == ()


def test_an_upload_that_others_end_on_every_attempt_is_an_error(store, file, monkeypatch):
    big = outgoing(file("big", BIG))

    def gone(*args):
        raise UploadGoneError("aborted")

    monkeypatch.setattr(store, "send_part", gone)
    with pytest.raises(RemoteError, match=r"ended the upload of .* 4 times") as error:
        send(store, [big])
    assert error.value.hint is not None


def test_a_vanished_file_is_not_reported_as_a_lost_connection(store, file):
    big = outgoing(file("big", BIG))
    with big.path.open("r+b") as opened:
        opened.truncate(PART + 5)
    with pytest.raises(ModelError, match="became shorter"):
        send(store, [big])
    assert store.head(big.key) is None
    big.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        send(store, [big])


# On stores that know nothing of ours


def test_s3_uploads_resume_on_moto(moto, s3_at, bucket, file):
    store = s3_at(moto, bucket)
    store.ensure(SILENT)
    big = outgoing(file("big", BIG))
    upload = store.begin(big.key, big.metadata)
    for span in part_ranges(BIG, PART)[1:3]:
        with FileSlice(big.path, span.offset, span.size) as body:
            store.send_part(big.key, upload, span.number, body)
    events = []
    send(store, [big], events)
    assert (moved(events, Skipped), moved(events)) == (2 * PART, BIG - 2 * PART)
    assert holds(store, big)
    events.clear()
    send(store, [big], events)
    assert moved(events) == 0


def test_gcs_uploads_arrive_on_an_emulator_without_multipart_uploads(
    gcs_emulator, gcs_at, bucket, tree
):
    store = gcs_at(gcs_emulator, bucket)
    store.ensure(SILENT)
    send(store, tree)
    assert all(holds(store, each) for each in tree)
    events = []
    send(store, tree, events)
    assert moved(events) == 0
