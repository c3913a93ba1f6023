"""What the bucket has under another key is copied inside it, not sent again."""

from __future__ import annotations

import hashlib

from cloudserve.storage.events import FileDone, Moved, Reporter, Skipped
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.outgoing import SHA256, Outgoing
from cloudserve.storage.upload.send import Sender


def outgoing(path, key):
    metadata = {SHA256: hashlib.sha256(path.read_bytes()).hexdigest()}
    return Outgoing(path.name, path, key, path.stat().st_size, metadata)


def send(store, file, elsewhere, events):
    reporter = Reporter(on_event=events.append)
    Sender(store, Transfer(reporter, Retry(first=0.01))).send([file], {}, elsewhere)


def moved(events):
    return sum(event.size for event in events if isinstance(event, Moved))


def test_a_file_of_an_earlier_revision_is_copied(store, file):
    path = file("weights", 3 << 20)
    send(store, outgoing(path, "v1/weights"), {}, [])
    again = outgoing(path, "v2/weights")
    events = []
    send(store, again, {again.metadata[SHA256]: "v1/weights"}, events)
    assert moved(events) == 0
    assert events == [
        Skipped("weights", again.size),
        FileDone("weights", again.size, moved=False),
    ]
    assert again.is_like(store.head("v2/weights"))
    assert store.read("v2/weights")[0] == path.read_bytes()


def test_a_file_is_sent_if_its_source_was_deleted_or_replaced(store, file):
    path = file("weights", 1000)
    new = outgoing(path, "v2/weights")
    events = []
    send(store, new, {new.metadata[SHA256]: "v1/weights"}, events)
    assert moved(events) == 1000
    store.write("v1/weights", bytes(1000))
    store.delete("v2/weights")
    events.clear()
    send(store, new, {new.metadata[SHA256]: "v1/weights"}, events)
    assert moved(events) == 1000
    assert store.read("v2/weights")[0] == path.read_bytes()
