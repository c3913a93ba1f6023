"""Archives are the same bytes each time, stream while they are made, and unpack to files only."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudserve.errors import CloudserveError, ConflictError
from cloudserve.savedmodel import read_tree
from cloudserve.storage.archive import Bundle, pack, send_archive, unpack
from cloudserve.storage.events import Moved, Skipped
from cloudserve.storage.retry import Retry
from cloudserve.storage.upload.stream import send_stream

MIB = 1 << 20


@pytest.fixture
def bundle(file, tmp_path) -> Bundle:
    for name, size in {"saved_model.pb": 1000, "variables/data": 24 * MIB, "ü": 0}.items():
        file(f"model/{name}", size, seed=size)
    file("code/inference.py", 50)
    return Bundle("half", 3, tmp_path / "model", tmp_path / "code")


def packed(bundle) -> bytes:
    out = io.BytesIO()
    pack(bundle, out)
    return out.getvalue()


def test_the_layout_is_what_the_containers_look_for(bundle):
    with tarfile.open(fileobj=io.BytesIO(packed(bundle)), mode="r:gz") as tar:
        assert tar.getnames() == [
            "code/inference.py",
            "half/3/saved_model.pb",
            "half/3/variables/data",
            "half/3/ü",
        ]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {
            (0, 0, 0, "", "", 0o644)
        }


def test_the_bytes_depend_on_names_and_contents_alone(bundle):
    before = packed(bundle)
    for path in bundle.model.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    assert packed(bundle) == before
    (bundle.model / "saved_model.pb").write_bytes(b"other")
    assert packed(bundle) != before


def test_what_is_packed_is_unpacked(bundle, tmp_path):
    unpack(io.BytesIO(packed(bundle)), tmp_path / "out")
    assert read_tree(tmp_path / "out" / "half" / "3") == read_tree(bundle.model)
    assert read_tree(tmp_path / "out" / "code") == read_tree(bundle.code)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    out.seek(0)
    return out


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "members",
    [
        [(member("../evil"), b"x")],
        [(member("/etc/evil"), b"x")],
        [(member("a/../../evil"), b"x")],
        [(member("link", tarfile.SYMTYPE, "/etc"), b"")],
        [(member("link", tarfile.SYMTYPE, "."), b""), (member("link/x"), b"x")],
        [(member("link", tarfile.LNKTYPE, "a"), b"")],
        [(member("device", tarfile.CHRTYPE), b"")],
        [(member("pipe", tarfile.FIFOTYPE), b"")],
        [(member("../folder", tarfile.DIRTYPE), b"")],
        [(member("twice"), b"1"), (member("twice"), b"2")],
    ],
    ids=lambda members: members[-1][0].name.replace("/", "|"),
)
def test_members_that_are_not_plain_files_below_are_refused(tmp_path, members):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConflictError):
        unpack(archive(*members), tmp_path / "in" / "out")
    assert not (tmp_path / "in" / "out").exists()
    assert [p for p in sorted(tmp_path.iterdir()) if p not in before] == [tmp_path / "in"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    bomb = archive((member("zeros"), bytes(3 * MIB)))
    with pytest.raises(ConflictError, match="more than 1,048,576 bytes"):
        unpack(bomb, tmp_path / "out", largest=MIB)
    assert not (tmp_path / "out").exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_archives_are_refused_or_unpack_whole(tmp_path_factory, data):
    whole = bytearray(gzip.decompress(archive((member("a/b"), b"content" * 200)).getvalue()))
    whole[data.draw(st.integers(0, 1600))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(whole)))
    into = tmp_path_factory.mktemp("damaged") / "out"
    try:
        unpack(io.BytesIO(bytes(whole[:cut])), into)
    except CloudserveError:
        assert not into.exists()
    else:
        assert into.is_dir()


# While it uploads


def test_an_archive_goes_up_in_parts_while_it_is_made(store, bundle, tmp_path):
    send_archive(store, "model.tar.gz", bundle)
    assert store.read("model.tar.gz")[0] == packed(bundle)
    events = []
    send_archive(store, "model.tar.gz", bundle, events.append)
    assert events == []


def test_an_interrupted_stream_goes_on_by_parts(store):
    content = os.urandom(17 * MIB)

    def make(sink):
        for start in range(0, len(content), 300_000):
            sink.write(content[start : start + 300_000])

    def make_some(sink):
        sink.write(content[: 11 * MIB])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_stream(store, "key", {"a": "1"}, make_some, retry=Retry(), part=5 * MIB)
    assert store.head("key") is None
    (upload,) = store.open_uploads("key")
    kept = sum(part.size for part in store.parts("key", upload))
    events = []
    send_stream(store, "key", {"a": "1"}, make, events.append, part=5 * MIB)
    assert store.read("key")[0] == content
    assert sum(e.size for e in events if isinstance(e, Skipped)) == kept
    assert sum(e.size for e in events if isinstance(e, Moved)) == len(content) - kept


def test_an_archive_goes_to_a_store_that_takes_no_parts(gcs_emulator, gcs_at, bucket, bundle):
    store = gcs_at(gcs_emulator, bucket)
    store.ensure(lambda line: None)
    send_archive(store, "model.tar.gz", bundle)
    assert store.read("model.tar.gz")[0] == packed(bundle)


def test_what_was_left_of_another_content_is_not_said_to_be_this(store):
    upload = store.begin("key", {"a": "old"})
    assert upload
    send_stream(store, "key", {"a": "new"}, lambda sink: sink.write(b"new"))
    head = store.head("key")
    assert (head.size, dict(head.metadata)) == (3, {"a": "new"})
