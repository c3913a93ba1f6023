"""SIGKILL at any byte: an object is there whole, as it was acknowledged, or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.objects.store.types import ObjectProperties, Precondition

WRITER = """
import os, sys
from pathlib import Path
from cloudserve.local_server.clouds.objects.store.store import ObjectStore

store = ObjectStore(Path(sys.argv[1]))
for number in range(1_000_000):
    content = os.urandom(3000) * (1 + number % 40)
    writer = store.writer()
    for cut in range(0, len(content), 1000):
        writer.write(content[cut : cut + 1000])
    store.put("bkt", f"k{number % 7}", writer.finish())
    os.write(1, b"x" * 8)
"""


@pytest.mark.parametrize("acknowledged", [1, 2, 5, 11, 23, 40])
def test_a_writer_killed_midway_leaves_only_whole_objects(tmp_path, acknowledged):
    with ObjectStore(tmp_path) as store:
        store.create_bucket("bkt")
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        # Wherever the writer is by the time this many puts were acknowledged.
        assert len(process.stdout.read(8 * acknowledged)) == 8 * acknowledged
        process.kill()
    with ObjectStore(tmp_path) as store:
        objects = list(store.walk("bkt"))
        assert len(objects) >= min(acknowledged, 7)
        for info in objects:
            content = store.path(info).read_bytes()
            assert (len(content), hashlib.sha256(content).digest()) == (info.size, info.address)
        kept = {info.address.hex() for info in objects}
        assert {path.name for path in (tmp_path / "blobs").glob("*/*")} == kept
        assert list((tmp_path / "staging").iterdir()) == []


def test_a_session_has_the_acknowledged_bytes_after_a_crash_and_no_others(tmp_path):
    store = ObjectStore(tmp_path)
    store.create_bucket("bkt")
    session = store.sessions.create(
        ("bkt", "k"), ObjectProperties(), Precondition(generation=0), {}, None
    )
    chunk = store.sessions.begin(session.id)
    chunk.writer.write(b"acknowledged ")
    store.sessions.commit(chunk)
    lost = store.sessions.begin(session.id)
    lost.writer.write(b"never acknowledged")
    lost.writer.sync()
    lost.writer.close()
    store.close()  # the file is longer than what the database says, as after a SIGKILL

    with ObjectStore(tmp_path) as again:
        chunk = again.sessions.begin(session.id)
        assert chunk.session.received == len(b"acknowledged ")
        chunk.writer.write(b"and finished")
        info = again.sessions.finish(chunk, {})
        assert again.path(info).read_bytes() == b"acknowledged and finished"
        assert info.address == hashlib.sha256(b"acknowledged and finished").digest()


def test_a_multipart_upload_survives_a_restart(tmp_path):
    with ObjectStore(tmp_path) as store:
        store.create_bucket("bkt")
        upload = store.uploads.create("bkt", "k", ObjectProperties())
        writer = store.writer()
        writer.write(b"part one")
        store.uploads.put_part(upload, 1, writer.finish())
    with ObjectStore(tmp_path) as store:
        upload = store.uploads.get(upload.id, "bkt", "k")
        parts = store.uploads.parts(upload)
        blob = store.uploads.join(upload, parts)
        info = store.uploads.complete(upload, blob, upload.properties)
        assert store.path(info).read_bytes() == b"part one"


def test_opening_a_store_that_another_holds_open_sweeps_nothing(tmp_path):
    with ObjectStore(tmp_path) as store:
        writer = store.writer()
        writer.write(b"under way")
        with ObjectStore(tmp_path):
            pass
        assert len(list((tmp_path / "staging").iterdir())) == 1
        writer.abort()


def test_a_blob_without_an_object_is_swept_when_the_store_is_opened_alone(tmp_path: Path):
    with ObjectStore(tmp_path):
        orphan = tmp_path / "blobs/ab" / ("ab" * 32)
        orphan.parent.mkdir()
        orphan.write_bytes(b"adopted, but never committed")
    with ObjectStore(tmp_path):
        assert not orphan.exists()
