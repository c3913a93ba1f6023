"""A process killed at any point of an upload: acknowledged bytes stay, the rest can be sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_uploads.py")


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("Resumable", 60),
        ("Multipart", 20),
        ("Put", 20),
        pytest.param("Parts", 60, marks=pytest.mark.slow),
        pytest.param("XmlParts", 60, marks=pytest.mark.slow),
    ],
)
def test_an_upload_killed_at_every_point_is_resumed(kind, least, tmp_path):
    command = [sys.executable, "-W", "error", str(SCRIPT), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= least
