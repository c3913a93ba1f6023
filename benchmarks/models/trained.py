"""The models that the tests train, for `findings.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.local_server.export.trained import LONG, SHORT


def train(folder: Path) -> Iterator[Path]:
    """Train and export each kind of source below a folder; yield the versions.

    A Keras model that TensorFlow Serving does not restore is among them as it was saved.
    """
    for name, make in {**SHORT, **LONG}.items():
        place = folder / name
        place.mkdir()
        with _in(place):
            make(place, place / "models")
        version = place / "models" / "1"
        yield version.rename(place / "1")
    saved = folder / "unrestored_keras" / "saved"
    yield saved.rename(folder / "unrestored_keras" / "2")


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
