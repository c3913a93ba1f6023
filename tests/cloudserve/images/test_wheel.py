"""The wheel of the installed package."""

import base64
import csv
import hashlib
import io
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest

from cloudserve.errors import UserError
from cloudserve.images import wheel
from cloudserve.images.wheel import installed_wheel


@pytest.fixture(scope="module")
def archive():
    return zipfile.ZipFile(io.BytesIO(installed_wheel().data))


def test_the_record_has_the_digest_of_every_file(archive):
    (record,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
    rows = {name: digest for name, digest, _ in csv.reader(archive.read(record).decode().split())}
    assert rows.pop(record) == ""
    assert rows.keys() == set(archive.namelist()) - {record}
    for name, digest in rows.items():
        actual = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest())
        assert digest == f"sha256={actual.decode().rstrip('=')}"


def test_the_same_files_give_the_same_bytes():
    assert installed_wheel() == installed_wheel()


def test_caches_are_not_in_the_wheel(archive):
    assert not [name for name in archive.namelist() if "__pycache__" in name or "/." in name]


def test_a_checkout_that_is_the_working_directory_gives_the_same_wheel(tmp_path, monkeypatch):
    expected = installed_wheel()
    installed = distribution("cloudserve")
    egg = tmp_path / "cloudserve.egg-info"
    egg.mkdir()
    names = {"METADATA": "PKG-INFO", "entry_points.txt": "entry_points.txt"}
    for name, other in (names | {"top_level.txt": "top_level.txt"}).items():
        (egg / other).write_text(installed.read_text(name))
    monkeypatch.setattr(wheel, "distribution", lambda name: Distribution.at(egg))
    assert installed_wheel() == expected


def test_a_package_that_is_not_installed_is_refused(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(wheel, "distribution", missing)
    with pytest.raises(UserError, match="cloudserve is not installed as a package"):
        installed_wheel()


def test_metadata_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(wheel, "__version__", "9.9")
    with pytest.raises(
        UserError, match=r"the installed metadata is of version \S+, the files of 9.9"
    ):
        installed_wheel()


def test_a_package_inside_an_archive_is_refused(monkeypatch):
    monkeypatch.setattr(wheel, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="the files of cloudserve cannot be read from disk"):
        installed_wheel()
