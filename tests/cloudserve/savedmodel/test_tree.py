"""The files of a tree and the digest over them."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError
from cloudserve.savedmodel import FileEntry, read_tree, tree

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
paths = st.lists(names.filter(lambda n: n not in {".", ".."}), min_size=1, max_size=3).map("/".join)


def fits(files: dict[str, bytes]) -> bool:
    """Return whether no path is a directory of another."""
    return not any(a != b and b.startswith(f"{a}/") for a in files for b in files)


file_sets = st.dictionaries(paths, st.binary(max_size=40), min_size=1, max_size=6).filter(fits)


@contextmanager
def laid_out(files: dict[str, bytes], mtime: float = 1e9) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (mtime, mtime))
        yield Path(folder)


def digest_of(files: dict[str, bytes], mtime: float = 1e9) -> str:
    with laid_out(files, mtime) as folder:
        return read_tree(folder).digest


@given(file_sets, st.randoms(use_true_random=False), st.floats(1, 2e9))
def test_the_digest_knows_neither_order_nor_time(files, random, mtime):
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert digest_of(dict(shuffled), mtime) == digest_of(files)


@given(file_sets, st.data())
def test_the_digest_changes_with_any_byte(files, data):
    name = data.draw(st.sampled_from(sorted(files)))
    content = data.draw(st.binary(max_size=40).filter(lambda c: c != files[name]))
    assert digest_of({**files, name: content}) != digest_of(files)


@given(file_sets, st.data())
def test_the_digest_changes_with_any_name(files, data):
    old = data.draw(st.sampled_from(sorted(files)))
    new = data.draw(paths.filter(lambda p: p not in files))
    renamed = {new if name == old else name: content for name, content in files.items()}
    if fits(renamed):
        assert digest_of(renamed) != digest_of(files)


@given(file_sets)
def test_every_file_is_listed_with_its_size_and_sha256_in_path_order(files):
    with laid_out(files) as folder:
        result = read_tree(folder)
    assert result.files == tuple(
        FileEntry(name, len(files[name]), hashlib.sha256(files[name]).hexdigest())
        for name in sorted(files, key=str.encode)
    )
    assert result.size == sum(map(len, files.values()))


def test_the_digest_is_the_sha256_of_the_documented_text():
    text = (
        b"cloudserve-tree-1\n"
        b"a/b\x003\x00ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        b"c\x000\x00e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
    )
    assert digest_of({"c": b"", "a/b": b"abc"}) == hashlib.sha256(text).hexdigest()


def test_the_digest_of_a_real_model_stays_what_it_was(shared_models):
    result = read_tree(shared_models / "tfs_half_plus_two_tf2" / "123")
    assert [file.path for file in result.files] == [
        "assets/foo.txt",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    assert result.digest == "87cd5af20e4a016dc2a508a727be0d60404819e2892554b1e8cd411764d16e61"
    assert result.size == 38933


def test_empty_directories_do_not_count_and_hidden_files_do(tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").write_bytes(b"")
    assert [file.path for file in read_tree(str(tmp_path)).files] == [".hidden"]


def test_a_directory_without_files_has_a_digest_too(tmp_path):
    expected = hashlib.sha256(b"cloudserve-tree-1\n").hexdigest()
    assert read_tree(tmp_path).digest == expected


def test_links_inside_the_tree_count_as_their_targets(tmp_path):
    linked, plain = tmp_path / "linked", tmp_path / "plain"
    for root in (linked, plain):
        (root / "data").mkdir(parents=True)
        (root / "data" / "x").write_bytes(b"x")
    (linked / "file").symlink_to(linked / "data" / "x")
    (linked / "folder").symlink_to("data")
    (plain / "file").write_bytes(b"x")
    (plain / "folder").mkdir()
    (plain / "folder" / "x").write_bytes(b"x")
    assert read_tree(linked) == read_tree(plain)


def test_the_tree_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert read_tree(tmp_path / "link") == read_tree(tmp_path / "real")


def refusal(root: Path) -> tuple[str, str | None]:
    with pytest.raises(ModelError) as raised:
        read_tree(root)
    return raised.value.message, raised.value.where


def test_a_link_out_of_the_tree_is_refused(tmp_path):
    (tmp_path / "secret").touch()
    root = tmp_path / "model"
    root.mkdir()
    (root / "x").symlink_to(tmp_path / "secret")
    assert refusal(root) == ("the link x leads out of the directory", str(root))


def test_a_link_to_a_sibling_whose_name_begins_alike_is_refused(tmp_path):
    (tmp_path / "model-2").mkdir()
    root = tmp_path / "model"
    root.mkdir()
    (root / "x").symlink_to(tmp_path / "model-2")
    assert refusal(root) == ("the link x leads out of the directory", str(root))


NOWHERE = "x is a dangling link, or vanished while the directory was read"


def test_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "x").symlink_to("missing")
    assert refusal(tmp_path) == (NOWHERE, str(tmp_path))


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "x").symlink_to("x")
    assert refusal(tmp_path) == (NOWHERE, str(tmp_path))


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "to_b").symlink_to("../b")
    (tmp_path / "b" / "to_a").symlink_to("../a")
    message, _ = refusal(tmp_path)
    assert message in {
        "the link a/to_b/to_a leads in a circle",
        "the link b/to_a/to_b leads in a circle",
    }


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path) == ("pipe is neither a file nor a directory", str(tmp_path))


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is limited to 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("door")
        assert refusal(tmp_path)[0] == "door is neither a file nor a directory"


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).touch()
    assert refusal(tmp_path) == (r"the name 'caf\udce9' is not UTF-8", str(tmp_path))


def test_a_missing_directory_and_a_file_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        root = tmp_path / name
        assert refusal(root) == ("there is no such directory", str(root))


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while: root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("closed", "mode", "name"),
    [("file", 0, "file"), ("folder", 0, "folder/"), ("folder", 0o444, "folder/inner")],
)
def test_an_unreadable_file_is_refused_with_the_systems_reason(closed, mode, name):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "folder").mkdir()
        (root / "folder" / "inner").touch()
        (root / "file").touch()
        (root / closed).chmod(mode)
        with without_privileges():
            message, where = refusal(root)
        (root / closed).chmod(0o700)
    assert (message, where) == (f"{name} cannot be read: Permission denied", str(root))


def while_hashing(monkeypatch, effect) -> None:
    """Let something happen between the first byte and the last."""
    real = hashlib.file_digest

    def file_digest(file, algorithm):
        result = real(file, algorithm)
        effect()
        return result

    monkeypatch.setattr(tree.hashlib, "file_digest", file_digest)


def rewrite_in_place(path: Path) -> None:
    path.write_bytes(b"new")
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    (path.parent.parent / "new").write_bytes(b"old")
    (path.parent.parent / "new").rename(path)


@pytest.mark.parametrize("change", [rewrite_in_place, replace])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    file = tmp_path / "model" / "saved_model.pb"
    file.parent.mkdir()
    file.write_bytes(b"old")
    while_hashing(monkeypatch, lambda: change(file))
    assert refusal(file.parent) == (
        "saved_model.pb was written or removed while the directory was read",
        str(file.parent),
    )


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "x"
    file.write_bytes(b"old")
    with file.open("ab", buffering=0) as writer:
        while_hashing(monkeypatch, lambda: writer.write(b"more"))
        assert refusal(tmp_path)[0] == "x was written or removed while the directory was read"


def test_a_file_that_appears_while_the_tree_is_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").touch()
    while_hashing(monkeypatch, (tmp_path / "y").touch)
    assert refusal(tmp_path)[0] == "y was written or removed while the directory was read"


def test_a_file_that_vanishes_while_the_tree_is_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").touch()
    while_hashing(monkeypatch, (tmp_path / "x").unlink)
    assert refusal(tmp_path)[0] == "x was written or removed while the directory was read"


def test_a_file_that_changes_after_it_was_read_but_before_the_others_were_is_refused(
    tmp_path, monkeypatch
):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").write_bytes(b"old")
    monkeypatch.setattr(tree, "_THREADS", 1)  # "a" is read, then "b"
    hashed = []

    def change_the_first_after_the_second() -> None:
        hashed.append(None)
        if len(hashed) == 2:
            (tmp_path / "a").write_bytes(b"longer")

    while_hashing(monkeypatch, change_the_first_after_the_second)
    assert refusal(tmp_path)[0] == "a was written or removed while the directory was read"
