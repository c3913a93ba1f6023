"""Pages of the how-to guide, typed in as they stand, with the models that they assume."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROJECT = """\
name: pages
models:
  mnist: {path: models/mnist}
  half: {path: models/half}
  fraud: {path: models/half}
targets:
  aws:
    provider: sagemaker
    bucket: s3://pages-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    region: us-east-1
  production:
    provider: sagemaker
    bucket: s3://pages-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    region: eu-west-1
"""
RELEASES = """\
set -e
for model in mnist half; do
  cloudserve deploy $model -t aws --version 1
  cloudserve deploy $model -t aws --version 2
  cloudserve promote $model -t aws
done
cloudserve deploy mnist -t aws --version 3
"""
EXITS = {
    "cloudserve check fraud": {3},  # --strict: the model has signatures that take tf.Examples
}
"""The exit codes of commands that do not end with 0, by their beginning."""


def typed(page: str) -> list[str]:
    text = "".join(BLOCK.findall((PAGES / page).read_text()))
    lines = re.findall(r"^\$ (.*)$", text.replace("\\\n", " "), re.MULTILINE)
    assert lines
    return lines


@pytest.fixture(scope="module")
def shell(tmp_path_factory, clouds, shared_models):
    """Give what runs a line in the folder of a project with released models."""
    folder = tmp_path_factory.mktemp("pages")
    for name, source in (
        ("half", "tfs_half_plus_two_2v/123"),
        ("mnist", "tfs_half_plus_three/123"),
    ):
        for number in (1, 2, 3):
            version = folder / "models" / name / str(number)
            shutil.copytree(shared_models / source, version)
            (version / "assets.extra").mkdir(exist_ok=True)
            (version / "assets.extra" / "note.txt").write_text(f"version {number}")
    shutil.copytree(shared_models / "tfs_counter", folder / "models" / "counter")
    (folder / "cloudserve.yaml").write_text(PROJECT)
    environment = clouds.environment | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "CLOUDSERVE_ACTOR": "ada",
    }

    def run(line: str) -> subprocess.CompletedProcess:
        command = ["bash", "-c", line]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    done = run(RELEASES)
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.parametrize(
    "page",
    [
        "check-a-model.md",
        "compare-models.md",
        "find-drift.md",
        "move-models.md",
        "release-from-ci.md",
        "review-a-release.md",
        "remove-old-versions.md",
        "run-a-model.md",
        "take-a-model-down.md",
    ],
)
def test_the_commands_of_a_page_end_as_it_says(shell, page):
    for line in typed(page):
        if line.startswith("cloudserve model-server"):
            continue  # it serves until it is stopped
        done = shell(line)
        wanted = next((codes for begin, codes in EXITS.items() if line.startswith(begin)), {0})
        said = f"$ {line}\n{done.stdout}{done.stderr}"
        assert done.returncode in wanted, said
        assert "Traceback" not in said
