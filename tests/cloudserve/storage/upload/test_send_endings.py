"""How an upload ends when something else ends first: the network, another uploader, the disk."""

from __future__ import annotations

import os
import random
import threading
from dataclasses import replace

import pytest

from cloudserve.errors import ModelError, RemoteError, UserError
from cloudserve.storage.contract import UploadGoneError
from cloudserve.storage.events import SILENT, Moved, Reporter, Skipped
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer, part_ranges
from cloudserve.storage.upload.file_slice import FileSlice
from cloudserve.storage.upload.outgoing import Outgoing
from cloudserve.storage.upload.send import Sender
from cloudserve.storage.upload.stream import CONCURRENT_PARTS, Sink, send_stream

MIB = 1 << 20
PART = 5 * MIB
BIG = 6 * PART + 123


@pytest.fixture
def big(file) -> Outgoing:
    return Outgoing("big", file("big", BIG), "big", BIG, {"about": "it"})


def test_a_lost_network_is_reported_and_the_next_run_resumes(
    faces, kind, open_store, store, bucket, big, fault_proxy
):
    port = int(faces[kind].rpartition(":")[2])
    gone = threading.Event()

    def plan(number):
        return fault_proxy.Fault(cut_at=0) if gone.is_set() else fault_proxy.GOOD

    def observe(event):
        if isinstance(event, Moved):
            gone.set()

    with fault_proxy.FaultProxy(port, plan) as proxy:
        # One thread, and a connection that is cut with the part in it: nothing else gets through.
        retry = Retry(attempts=3, first=0.01, longest=0.02)
        cut = open_store(proxy.url, bucket)
        send_part = cut.send_part

        def send_part_and_hang_up(*arguments):
            try:
                return send_part(*arguments)
            finally:
                proxy.hang_up()

        cut.send_part = send_part_and_hang_up
        sender = Sender(cut, Transfer(Reporter(on_event=observe), retry, PART, workers=1))
        with pytest.raises(RemoteError) as error:
            sender.send([big], {})
    assert error.value.retryable
    assert error.value.where == proxy.url
    assert store.head("big") is None
    events = []
    Sender(store, Transfer(Reporter(on_event=events.append), part=PART)).send([big], {})
    kept = sum(event.size for event in events if isinstance(event, Skipped))
    assert kept >= PART
    assert sum(event.size for event in events if isinstance(event, Moved)) == BIG - kept
    assert store.read("big")[0] == big.path.read_bytes()


def test_an_upload_that_another_completed_is_not_begun_again(store, big, monkeypatch):
    begun, complete = [], store.complete

    def begin(*arguments, begin=store.begin):
        begun.append(begin(*arguments))
        return begun[-1]

    def complete_second(*arguments):
        complete(*arguments)
        complete(*arguments)

    monkeypatch.setattr(store, "begin", begin)
    monkeypatch.setattr(store, "complete", complete_second)
    Sender(store, Transfer(SILENT, part=PART)).send([big], {})
    assert len(begun) == 1
    assert store.read("big")[0] == big.path.read_bytes()


def test_a_file_that_is_written_while_it_is_sent_makes_no_object(store, big, monkeypatch):
    send_part = store.send_part

    def write_after(*arguments):
        with big.path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"?")
        return send_part(*arguments)

    monkeypatch.setattr(store, "send_part", write_after)
    with pytest.raises(ModelError, match="written during the upload") as error:
        store.upload("big", big.path, {})
    assert error.value.where == str(big.path)
    assert store.head("big") is None
    monkeypatch.undo()
    store.upload("big", big.path, {})
    assert store.read("big")[0] == big.path.read_bytes()


def test_two_clients_that_make_the_same_stream_produce_one_copy(store):
    content = random.Random(1).randbytes(3 * PART + 7)
    met = threading.Barrier(3)
    errors = []

    def make(sink):
        for start in range(0, len(content), MIB):
            sink.write(content[start : start + MIB])

    def upload():
        met.wait()
        try:
            send_stream(store, "key", {"about": "it"}, make, Transfer(SILENT, part=PART))
        except RemoteError as error:
            errors.append(error)

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.read("key")[0] == content


def test_a_stream_whose_upload_others_end_on_every_attempt_is_an_error(store, monkeypatch):
    def gone(*arguments):
        raise UploadGoneError("aborted")

    monkeypatch.setattr(store, "send_part", gone)
    with pytest.raises(RemoteError, match=r"ended the upload of .* 4 times"):
        send_stream(store, "key", {}, lambda sink: sink.write(b"x"), Transfer(SILENT))


def test_a_part_that_fails_ends_the_making_of_a_stream(store, monkeypatch):
    made = []

    def make(sink):
        for number in range(100):
            made.append(number)
            sink.write(bytes(1000))

    def refuse(*arguments):
        raise RemoteError("no")

    monkeypatch.setattr(store, "send_part", refuse)
    with pytest.raises(RemoteError, match="no"):
        send_stream(store, "key", {}, make, Transfer(SILENT, part=1000))
    assert len(made) <= CONCURRENT_PARTS + 1


def test_an_object_that_gcs_joined_from_other_bytes_is_deleted(faces, gcs_at, bucket, big):
    store = gcs_at(faces["gcs"], bucket)
    store.ensure(SILENT)
    upload = store.begin("big", {})
    sent = []
    for span in part_ranges(BIG, PART):
        with FileSlice(big.path, span.offset, span.size) as body:
            sent.append(store.send_part("big", upload, span.number, body))
    # As if the service had taken another part of this number: its checksum is not the one sent.
    swapped = [replace(sent[0], checksum=sent[1].checksum), *sent[1:]]
    with pytest.raises(UploadGoneError, match="what arrived is not what was sent"):
        store.complete("big", upload, swapped)
    assert store.head("big") is None


def test_a_full_disk_under_a_stream_is_reported_with_a_hint(tmp_path):
    (tmp_path / "1").symlink_to("/dev/full")
    sink = Sink(tmp_path, PART, lambda number, path: None)
    with pytest.raises(UserError, match="No space left on device") as error:
        sink.write(bytes(MIB))
    assert "TMPDIR" in error.value.hint
    sink.close()
