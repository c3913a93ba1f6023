"""A project whose target is the platform in memory."""

import pytest

PROJECT = """\
models:
  half:
    path: {path}
targets:
  here:
    provider: memory
"""


@pytest.fixture
def project(tmp_path, monkeypatch, base, releases):
    """Stand in a project folder whose target is the platform in memory."""
    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=base))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDSERVE_ACTOR", "ada")
    return tmp_path
