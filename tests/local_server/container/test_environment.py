"""The environment of users' code: the container's, without the shell's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cloudserve.local_server.container.environment import container_environment

from cloudserve.errors import ModelError
from tests.local_server.container.test_handlers import handler, write_wheel

EMULATOR = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "cloudserve",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture
def canaries(monkeypatch):
    """Set what a shell with real accounts holds."""
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GITHUB_TOKEN", "HTTPS_PROXY", "PYTHONSTARTUP"),
    ):
        monkeypatch.setenv(name, "CANARY")


def test_it_is_the_images_and_nothing_of_the_shells(canaries, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/needed/by/python")
    assert container_environment(Path("/home"), {}) == {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
        ":/sbin:/bin",
        "HOME": "/home",
        "TMPDIR": "/home",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_GCE_CHECK": "true",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "LD_LIBRARY_PATH": "/needed/by/python",
    }


def test_the_models_variables_count_and_none_leaves_the_emulator(caplog):
    fields = {
        "MINE": "1",
        "HTTPS_PROXY": "http://proxy",
        "NO_PROXY": "inside",
        "AWS_REGION": "eu-west-1",
        "AWS_PROFILE": "as-in-the-cloud",
        "AWS_ACCESS_KEY_ID": "REAL",
        "AWS_SESSION_TOKEN": "REAL",
        "AWS_ENDPOINT_URL": "https://real",
        "AWS_ENDPOINT_URL_S3": "https://real",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    made = container_environment(Path("/home"), fields, EMULATOR)
    kept = ("MINE", "HTTPS_PROXY", "AWS_REGION", "AWS_PROFILE")
    assert {name: made[name] for name in kept} == {name: fields[name] for name in kept}
    assert made["NO_PROXY"] == "inside,localhost,127.0.0.1"
    assert made["AWS_ENDPOINT_URL"] == EMULATOR["AWS_ENDPOINT_URL"]
    assert made["AWS_ACCESS_KEY_ID"] == "cloudserve"
    assert not {name for name, value in made.items() if "REAL" in value or "real" in value}
    assert "AWS_ENDPOINT_URL_S3 of the model's Environment is ignored offline" in caplog.text


def test_without_an_emulator_they_are_all_the_models_own():
    fields = {"AWS_ENDPOINT_URL_S3": "https://mine", "AWS_SESSION_TOKEN": "mine"}
    assert container_environment(Path("/home"), fields).items() >= fields.items()


def test_a_script_sees_it_and_has_a_home_of_its_own(canaries, with_code, start):
    lines = (
        "home = os.path.expanduser('~')",
        "return json.dumps([dict(os.environ), os.listdir(home)]), 'text/plain'",
    )
    running = start(with_code({"inference.py": handler(*lines)}), environment={"MINE": "seen"})
    observed, files = json.loads(running.invoke(b"").body)
    assert observed["MINE"] == "seen"
    assert "CANARY" not in observed.values()
    assert observed["HOME"] not in {os.environ["HOME"], str(Path.home())}
    assert files == []


def test_packages_are_installed_in_it(with_code, start, tmp_path, monkeypatch):
    write_wheel(tmp_path)
    script = "import brought_along\n" + handler("return brought_along.W, 'text/plain'")
    request = "--no-index\nbrought-along\n"
    tree = with_code({"inference.py": script, "requirements.txt": request})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelError, match="failed to install required packages: "):
        start(tree, install_requirements=True)
    own = {"PIP_FIND_LINKS": str(tmp_path)}
    running = start(tree, install_requirements=True, environment=own)
    assert running.invoke(b"").body == b"installed"
