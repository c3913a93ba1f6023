"""A manifest says which commit a project was at, and whether its files were as committed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cloudserve.release.transfer.local import git_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give a work tree with one commit, whatever the user's own git settings are."""
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cloudserve.yaml").write_text("models:\n")
    for command in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "first"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_a_clean_tree_is_its_commit(project):
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, check=True
    )
    assert git_state(project) == (answer.stdout.decode().strip(), False)


def test_a_changed_file_makes_it_dirty_and_an_untracked_one_does_not(project):
    (project / "model.pb").write_bytes(b"output of a training")
    assert git_state(project)[1] is False
    (project / "cloudserve.yaml").write_text("models: {}\n")
    assert git_state(project)[1] is True


def test_hooks_of_the_repository_are_not_run(project):
    hook = project / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {project}/ran\n")
    hook.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(hook)], cwd=project, check=True)
    git_state(project)
    assert not (project / "ran").exists()


def test_without_a_repository_the_state_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == ("", None)
    assert git_state(tmp_path / "gone") == ("", None)


def test_without_git_the_state_is_unknown(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_state(project) == ("", None)
