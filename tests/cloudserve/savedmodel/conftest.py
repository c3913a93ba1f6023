"""A model to spoil, and what TensorFlow itself says of the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ORACLE = Path(__file__).with_name("tensorflow_oracle.py")


def copy_model(source: Path, destination: Path) -> Path:
    """Copy a SavedModel without its read-only modes."""
    return Path(shutil.copytree(source, destination, copy_function=shutil.copyfile))


@pytest.fixture
def model(shared_models: Path, tmp_path: Path) -> Path:
    """Give a real SavedModel of version 123 with variables and an asset, free to be changed."""
    return copy_model(shared_models / "tfs_half_plus_two_tf2" / "123", tmp_path / "model" / "123")


@pytest.fixture(scope="session")
def oracle(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Give TensorFlow's own reading of all the models, and their text forms, from one process."""
    folder = tmp_path_factory.mktemp("oracle")
    command = [sys.executable, ORACLE, shared_models, folder]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    return json.loads((folder / "facts.json").read_text())
