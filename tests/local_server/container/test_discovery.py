from __future__ import annotations

import io
import random
import tarfile

import pytest
from cloudserve.local_server.clouds.aws.sagemaker.containers.model_data import unpack
from cloudserve.local_server.container.discovery import Bundle, find, versions_below

from cloudserve.errors import ModelError


def touch(folder, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def packed(tmp_path, *members: tarfile.TarInfo):
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


def test_every_numbered_folder_with_a_saved_model_is_found_at_any_depth(tmp_path):
    touch(
        tmp_path,
        "7/saved_model.pb",
        "export/half/00000123/saved_model.pb",
        "export/half/10/saved_model.pb",
        "export/half/9/saved_model.pb",
        "export/half/latest/saved_model.pb",
        "code/inference.py",
    )
    assert find(tmp_path) == (
        Bundle("half", 9, tmp_path / "export/half/9"),
        Bundle("half", 10, tmp_path / "export/half/10"),
        Bundle("half", 123, tmp_path / "export/half/00000123"),
        Bundle("model", 7, tmp_path / "7"),
    )


def test_a_tree_without_any_is_an_error(tmp_path):
    touch(tmp_path, "saved_model.pb", "x/saved_model.pb")
    with pytest.raises(ModelError, match="no SavedModel bundles found!"):
        find(tmp_path)


def test_two_folders_of_one_version_are_an_error(tmp_path):
    touch(tmp_path, "a/m/1/saved_model.pb", "b/m/01/saved_model.pb")
    with pytest.raises(ModelError, match="two SavedModels are version 1 of m"):
        find(tmp_path)


def test_an_archive_of_plain_files_is_extracted(tmp_path):
    into = tmp_path / "into"
    unpack(packed(tmp_path, member("m/1/saved_model.pb")), into)
    assert (into / "m/1/saved_model.pb").read_bytes() == b"x"


def test_a_file_of_an_archive_stays_executable_and_nothing_else(tmp_path):
    info, into = member("m/1/tool"), tmp_path / "into"
    info.mode, info.mtime = 0o6777, 1
    unpack(packed(tmp_path, info), into)
    status = (into / "m/1/tool").stat()
    assert (status.st_mode & 0o7777, status.st_mtime > 1) == (0o755, True)


def test_a_directory_in_the_place_of_a_file_is_an_error(tmp_path):
    archive = packed(tmp_path, member("m"), member("m/1/saved_model.pb"))
    with pytest.raises(ModelError, match="the model archive cannot be extracted"):
        unpack(archive, tmp_path / "into")


@pytest.mark.parametrize(
    "bad",
    [
        member("../out"),
        member("m/../../out"),
        member("/etc/out"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "m"),
        member("fifo", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda info: info.name,
)
def test_an_archive_that_reaches_outside_or_links_is_refused(tmp_path, bad):
    into = tmp_path / "into"
    with pytest.raises(ModelError, match="the model archive holds"):
        unpack(packed(tmp_path, bad), into)
    assert not list(tmp_path.rglob("out"))
    assert not into.exists() or not list(into.iterdir())


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08cut"])
def test_a_file_that_is_not_an_archive_is_rejected(tmp_path, content):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="the model archive cannot be extracted"):
        unpack(path, tmp_path / "into")


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_an_archive_with_a_wrong_byte_is_rejected(tmp_path, place):
    """`tar` does not read up to gzip's checksum; the wrong byte may be in a file's content."""
    info, content = member("m/1/saved_model.pb"), random.Random(1).randbytes(50_000)
    info.size = len(content)
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(info, io.BytesIO(content))
    stored = bytearray(path.read_bytes())
    stored[int(len(stored) * place)] ^= 1
    path.write_bytes(stored)
    with pytest.raises(ModelError, match="the model archive cannot be extracted"):
        unpack(path, tmp_path / "into")


def test_a_name_with_a_null_byte_is_rejected(tmp_path):
    info = member("m/1/x")
    info.pax_headers = {"path": "m/1/a\0b"}
    with pytest.raises(ModelError, match="the model archive cannot be extracted"):
        unpack(packed(tmp_path, info), tmp_path / "into")


def test_a_multi_model_container_takes_the_versions_at_the_top_alone(tmp_path):
    touch(tmp_path, "1/saved_model.pb", "002/saved_model.pb", "deep/3/saved_model.pb", "code/lib/x")
    assert versions_below(tmp_path, "m") == (
        Bundle("m", 2, tmp_path / "002"),
        Bundle("m", 1, tmp_path / "1"),
    )
    assert versions_below(tmp_path / "nothing", "m") == ()
