"""The tutorial, typed in as it stands: every command ends well and prints what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-release.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BY_OTHER_MEANS = ("python3 -m venv", "pip install", "cloudserve emulate")
"""What is installed already, and the emulator, which the test has running."""


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == language]


def typed() -> list[tuple[str, str]]:
    """Give the commands, each with what the page shows of its output."""
    text = "".join(blocks("console"))
    results = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in results]


@pytest.fixture
def shell(tmp_path, clouds, monkeypatch):
    """Give what runs a line in a folder, as if the emulator's exports were pasted there."""
    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def test_the_page_can_be_typed_in_from_top_to_bottom(tmp_path, shell):
    pytest.importorskip("tensorflow")
    export, program = blocks("python")
    (tmp_path / "export.py").write_text(export)
    for command, output in typed():
        if not command.startswith(BY_OTHER_MEANS):
            text = shell(command)
            assert output.strip() in text, f"$ {command}\n{text}"
    (tmp_path / "program.py").write_text(program)
    live, changed, predictions = shell("python program.py").split(maxsplit=2)
    assert (live[:3], changed, predictions) == ("v1-", "False", "[3.0, 6.0]\n")
