"""setup.cfg against the disk: a forgotten subpackage would build a wheel without it, and exit 0."""

import configparser
from pathlib import Path

import pytest

from cloudserve.images.requirements import PYTHONS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "cloudserve": "cloudserve",
    "adapters": "cloudserve.adapters",
    "local_server": "cloudserve.local_server",
    "templates": "cloudserve.templates",
}


@pytest.fixture(scope="module")
def config():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def packages_on_disk():
    for folder, package in FOLDERS.items():
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            inner = init.parent.relative_to(ROOT / folder).parts
            yield ".".join([package, *inner])


def test_every_package_on_disk_is_listed(config):
    listed = config["options"]["packages"].split()
    assert sorted(listed) == sorted(packages_on_disk())


def test_every_folder_with_python_files_is_a_package():
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").is_file(), file


def test_the_four_folders_are_one_import_package(config):
    lines = config["options"]["package_dir"].strip().splitlines()
    mapped = {name.strip(): path.strip() for name, path in (line.split("=") for line in lines)}
    assert mapped == {package: folder for folder, package in FOLDERS.items()}


def test_every_packages_init_says_what_lives_there():
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            assert init.read_text().startswith('"""'), init


def test_the_classifiers_are_the_pythons_that_the_image_supports(config):
    prefix = "Programming Language :: Python :: 3."
    lines = config["metadata"]["classifiers"].split("\n")
    assert (
        tuple(f"3.{line.removeprefix(prefix)}" for line in lines if line.startswith(prefix))
        == PYTHONS
    )


def test_pyproject_only_names_the_build_system():
    lines = (ROOT / "pyproject.toml").read_text().strip().splitlines()
    assert lines[0] == "[build-system]"
    assert len(lines) == 3


def test_the_extras_are_those_that_are_documented(config):
    extras = config["options.extras_require"]
    documented = {
        "gcp",
        "aws",
        "client",
        "mlflow",
        "server",
        "tflite",
        "onnx",
        "otel",
        "demo",
        "test",
        "all",
    }
    assert set(extras) == documented
