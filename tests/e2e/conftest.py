"""The real processes: the emulator and the command line, as a user runs them."""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))

PROJECT = """\
models:
  {model}:
    path: {path}
targets:
  gcp:
    provider: ai-platform
    project: rehearsal
    bucket: gs://{bucket}
  aws:
    provider: sagemaker
    bucket: s3://{bucket}
    role_arn: arn:aws:iam::000000000000:role/rehearsal
"""


@dataclass
class Clouds:
    """A running emulator and the environment that it printed."""

    process: subprocess.Popen
    environment: dict[str, str]
    unset: list[str]

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


OTHER_ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK"
"""An endpoint that the shell of `emulate` has, of a service that the offline clouds do not have."""


@contextmanager
def run_clouds(*arguments: str) -> Iterator[Clouds]:
    command = [CLOUDSERVE, "emulate", "--port", "0", "--env", *arguments]
    shell = {**os.environ, OTHER_ENDPOINT: "http://127.0.0.1:9"}
    with subprocess.Popen(command, env=shell, stdout=subprocess.PIPE, text=True) as process:
        environment, unset = {}, []
        for line in process.stdout:
            if line.startswith("# ready"):
                break
            name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
            if line.startswith("export "):
                environment[name] = "".join(shlex.split(value))
            elif line.startswith("unset "):
                unset += line.split()[1:]
        else:
            pytest.fail("the emulator did not start")
        try:
            yield Clouds(process, environment, unset)
        finally:
            process.terminate()


@dataclass
class Terminal:
    """A folder with a project of one model, and an environment."""

    folder: Path
    model: str
    environment: dict[str, str]

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        return subprocess.Popen(
            [CLOUDSERVE, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        with self.start(*arguments, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin)
        return process.returncode, out, err

    def ok(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = self.run(*arguments, stdin=stdin)
        assert code == 0, err
        assert "Traceback" not in err
        return out


@pytest.fixture(scope="session")
def clouds() -> Iterator[Clouds]:
    with run_clouds() as running:
        yield running


@pytest.fixture
def running_clouds():
    """Give what starts another emulator, with arguments of its own."""
    return run_clouds


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def terminal(tmp_path, clouds, shared_models, numbers) -> Terminal:
    """Give a project with a bucket and a model of its own, versions 1 and 2, x/2+2 and x/2+3."""
    for number, name in (("1", "tfs_half_plus_two_cpu"), ("2", "tfs_half_plus_three")):
        link = tmp_path / "model" / number
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(next(p for p in sorted((shared_models / name).iterdir()) if p.is_dir()))
    model = f"half-{next(numbers)}"
    project = PROJECT.format(model=model, path=tmp_path / "model", bucket=f"{model}-models")
    (tmp_path / "cloudserve.yaml").write_text(project)
    return Terminal(tmp_path, model, {**clouds.environment, "CLOUDSERVE_ACTOR": "ada"})
