"""Streams of unknown size: uploaded in parts while they are made, and resumed."""

from __future__ import annotations

import os

import pytest

from cloudserve.storage.events import SILENT, Moved, Reporter, Skipped
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.stream import send_stream

MIB = 1 << 20


def test_an_interrupted_stream_is_resumed_by_parts(store):
    content = os.urandom(17 * MIB)

    def make(sink):
        for start in range(0, len(content), 300_000):
            sink.write(content[start : start + 300_000])

    def make_some(sink):
        sink.write(content[: 11 * MIB])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_stream(store, "key", {"a": "1"}, make_some, Transfer(SILENT, part=5 * MIB))
    assert store.head("key") is None
    (upload,) = store.open_uploads("key")
    kept = sum(part.size for part in store.parts("key", upload))
    events = []
    send_stream(
        store, "key", {"a": "1"}, make, Transfer(Reporter(on_event=events.append), part=5 * MIB)
    )
    assert store.read("key")[0] == content
    assert sum(e.size for e in events if isinstance(e, Skipped)) == kept
    assert sum(e.size for e in events if isinstance(e, Moved)) == len(content) - kept


def test_a_service_without_parts_gets_the_stream_in_one_request(gcs_emulator, gcs_at, bucket):
    store = gcs_at(gcs_emulator, bucket)
    store.ensure(SILENT)
    content = os.urandom(6 * MIB)
    send_stream(store, "key", {"a": "1"}, lambda sink: sink.write(content), Transfer(SILENT))
    assert store.read("key")[0] == content


def test_parts_of_an_upload_with_other_metadata_are_not_reused(store):
    upload = store.begin("key", {"a": "old"})
    assert upload
    send_stream(store, "key", {"a": "new"}, lambda sink: sink.write(b"new"), Transfer(SILENT))
    head = store.head("key")
    assert (head.size, dict(head.metadata)) == (3, {"a": "new"})
