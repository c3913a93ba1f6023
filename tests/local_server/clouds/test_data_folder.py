from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.data_folder import DataFolder

from cloudserve.errors import UserError


def test_a_folder_in_use_is_refused_and_free_again_afterwards(tmp_path):
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.open()
    with pytest.raises(UserError, match="another emulator uses this data directory") as caught:
        second.open()
    assert caught.value.where == str(tmp_path / "data")
    assert caught.value.hint == "stop it, or start with another --data directory"
    first.close()
    assert second.open() == tmp_path / "data"
    second.close()


def test_a_folder_that_was_asked_for_stays(tmp_path):
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.close()
    assert (tmp_path / "data").is_dir()


def test_a_temporary_folder_is_private_and_goes_with_the_emulator():
    folder = DataFolder(None)
    path = folder.open()
    assert path.stat().st_mode & 0o077 == 0
    folder.close()
    assert not path.exists()


@pytest.mark.parametrize("name", ["containers", "served", "vertex", "s3", "notes.txt"])
def test_a_folder_with_files_of_others_is_refused_and_stays_as_it_is(tmp_path, name):
    """The emulator empties `containers`, `served` and `vertex` when it starts."""
    precious = tmp_path / name / "precious"
    precious.parent.mkdir()
    precious.touch()
    with pytest.raises(UserError, match=f"has files of others, such as `?{name}`?") as caught:
        DataFolder(tmp_path).open()
    assert caught.value.hint == "give --data a new or an empty directory, such as .cloudserve"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert precious.exists()


@pytest.mark.parametrize("name", [".gitignore", ".gitkeep", ".DS_Store", "lost+found"])
def test_a_folder_that_is_empty_for_people_is_taken(tmp_path, name):
    """A repository keeps it by a hidden file, a volume has the folder of its file system."""
    (tmp_path / name).touch()
    folder = DataFolder(tmp_path)
    assert folder.open() == tmp_path
    folder.close()
    assert (tmp_path / name).exists()


def test_the_folder_of_an_earlier_emulator_is_taken(tmp_path):
    for name in ("clouds.db", "notes.txt"):
        (tmp_path / name).touch()
    folder = DataFolder(tmp_path)
    assert folder.open() == tmp_path
    folder.close()


def test_a_folder_in_which_a_start_was_killed_is_taken(tmp_path):
    for name in (".lock", "emulator.log", "emulator.json"):
        (tmp_path / name).touch()
    folder = DataFolder(tmp_path)
    assert folder.open() == tmp_path
    folder.close()


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the data directory cannot be used"):
        DataFolder(tmp_path / "file").open()
