"""`cloudserve image`: the build folder of a Vertex AI container."""

import re
import stat
import subprocess
import threading
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cloudserve import __version__
from cloudserve.cli.errors import run
from cloudserve.errors import ConflictError, UserError
from cloudserve.images.dockerfile import write_image
from cloudserve.images.requirements import TENSORFLOWS, locked_requirements

WHEEL = f"cloudserve-{__version__}-py3-none-any.whl"
FILES = ["Dockerfile", WHEEL, "packages.txt", "requirements.txt", "serve.sh"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "containers" / "image"
    assert [path.name for path in write_image(folder)] == FILES
    return folder


@pytest.mark.parametrize("tensorflow", TENSORFLOWS)
def test_the_requirements_are_exact_versions_with_hashes(tmp_path, tensorflow):
    write_image(tmp_path / "image", tensorflow)
    text = (tmp_path / "image" / "requirements.txt").read_text()
    locked = dict(
        re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    )
    assert locked["tensorflow"].startswith(f"{tensorflow}.")
    assert text.count("==") == len(locked)


@pytest.mark.parametrize("tensorflow", TENSORFLOWS)
def test_the_requirements_satisfy_what_setup_cfg_asks_for(tensorflow):
    locked = dict(re.findall(r"^(\S+)==(\S+)", locked_requirements(tensorflow), re.MULTILINE))
    for requirement in map(Requirement, requires("cloudserve")):
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("gcp", "server")
        ):
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])


@pytest.mark.parametrize(
    ("tensorflow", "message"),
    [
        ("2.16", "TensorFlow 2.16 requires numpy 1, and cloudserve numpy 2"),
        ("2.17.1", "TensorFlow 2.17 requires numpy 1, and cloudserve numpy 2"),
        ("2.22", "there is no tested set of packages for TensorFlow 2.22"),
        ("../x", "there is no tested set of packages for TensorFlow ../x"),
    ],
)
def test_another_tensorflow_is_refused_by_name(tmp_path, tensorflow, message):
    with pytest.raises(UserError) as error:
        write_image(tmp_path / "image", tensorflow)
    assert error.value.message == message
    assert error.value.hint == "name one of these: 2.18, 2.19, 2.20, 2.21"
    assert not list(tmp_path.iterdir())


def test_the_dockerfile_copies_its_folder_and_runs_without_root(folder):
    text = (folder / "Dockerfile").read_text()
    steps = re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE)
    copied = {words.split()[-2] for step, words in steps if step == "COPY"}
    assert copied == {"cloudserve-*.whl", "packages.txt", "requirements.txt", "serve.sh"}
    assert ("USER", "serving") in steps
    assert "HEALTHCHECK" in dict(steps)
    assert steps[-1] == ("ENTRYPOINT", '["sh", "/usr/local/bin/serve.sh"]')
    assert "FROM python:3.12-slim-bookworm" in text


def test_the_script_is_posix_and_executable(folder):
    script = folder / "serve.sh"
    assert stat.S_IMODE(script.stat().st_mode) == 0o755
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_a_folder_with_files_is_not_changed(folder):
    (folder / "Dockerfile").write_text("mine")
    with pytest.raises(ConflictError, match="exists and is not empty"):
        write_image(folder)
    assert (folder / "Dockerfile").read_text() == "mine"
    assert [path.name for path in folder.parent.iterdir()] == ["image"]


def test_an_empty_folder_is_filled(tmp_path):
    assert len(write_image(tmp_path / "x")) == len(FILES)
    (tmp_path / "y").mkdir()
    assert len(write_image(tmp_path / "y")) == len(FILES)


def test_of_many_concurrent_writers_one_succeeds_and_the_folder_is_complete(tmp_path):
    outcomes = []

    def write():
        try:
            outcomes.append(len(write_image(tmp_path / "image")))
        except ConflictError:
            outcomes.append(0)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [0] * 7 + [len(FILES)]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["image"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the folder cannot be written"):
        write_image(tmp_path / "file" / "image")
    with pytest.raises(UserError, match="the folder cannot be written: Not a directory"):
        write_image(tmp_path / "file")


def test_the_command_prints_the_next_steps(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["image"]) == 0
    err = capsys.readouterr().err
    assert "wrote image/Dockerfile" in err
    assert "docker build --platform linux/amd64" in err
    assert "gcloud builds submit --tag" in err
    assert run(["image"]) == 5
    assert "to do: name another folder" in capsys.readouterr().err
