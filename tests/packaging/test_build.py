"""sdist -> wheel -> fresh environment: what a user installs."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cloudserve import __version__
from cloudserve.images.wheel import installed_wheel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and the wheel from it, of a copy of what git would hand out."""
    source = tmp_path_factory.mktemp("source") / "cloudserve"
    ignored = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "__pycache__", "demo-work"
    )
    shutil.copytree(ROOT, source, ignore=ignored)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return out


def python_files(folder):
    return {file.relative_to(ROOT).as_posix() for file in (ROOT / folder).rglob("*.py")}


def test_the_wheel_holds_every_module_under_one_name(built):
    wheel = next(built.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = python_files("cloudserve") | {
        f"cloudserve/{path}"
        for folder in ("adapters", "local_server", "templates")
        for path in python_files(folder)
    }
    assert expected <= names
    assert {name.split("/")[0] for name in names} == {
        "cloudserve",
        f"cloudserve-{__version__}.dist-info",
    }
    image = ("templates/image/Dockerfile", "templates/image/serve.sh")
    project = tuple(f"templates/project/{name}.yaml" for name in ("cloudserve", "target-aws"))
    for data in ("py.typed", "project.schema.json", *project, *image):
        assert f"cloudserve/{data}" in names


def test_the_sdist_can_be_tested_and_read(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "Makefile", "tests/conftest.py", "setup.cfg"} <= names


def test_the_wheel_installs_into_a_fresh_environment(built, tmp_path):
    venv = tmp_path / "venv"
    # Its own pip would take as long as the installation.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    wheel = next(built.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", str(venv), "install"]
    subprocess.run([*pip, "--quiet", "--disable-pip-version-check", str(wheel)], check=True)
    done = subprocess.run(
        [str(venv / "bin" / "cloudserve"), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cloudserve {__version__}\n"
    emulate = subprocess.run(
        [str(venv / "bin" / "cloudserve"), "emulate"], capture_output=True, text=True, check=False
    )
    assert emulate.returncode == 2
    assert "pip install 'cloudserve[all]'" in emulate.stderr
    folder = tmp_path / "image"
    command = [str(venv / "bin" / "cloudserve"), "image", str(folder)]
    subprocess.run(command, capture_output=True, check=True)
    assert contents(next(folder.glob("*.whl"))) == contents(wheel)


def contents(wheel):
    """Return the files of a wheel, without those that describe the archive itself."""
    archive = zipfile.ZipFile(wheel)
    own = ("/RECORD", "/WHEEL", "/licenses/LICENSE")
    return {name: archive.read(name) for name in archive.namelist() if not name.endswith(own)}


def test_a_checkout_gives_the_wheel_that_setuptools_builds(built, tmp_path):
    made = installed_wheel()
    (tmp_path / made.name).write_bytes(made.data)
    sources = {
        name: data
        for name, data in contents(tmp_path / made.name).items()
        if name.startswith("cloudserve/")
    }
    expected = contents(next(built.glob("*.whl")))
    assert sources == {
        name: data for name, data in expected.items() if name.startswith("cloudserve/")
    }
