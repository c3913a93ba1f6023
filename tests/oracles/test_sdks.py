"""The pages on SDKs: their code is run, with the SDK's own environment and the printed variables.

`make oracle-sdks` makes the environments below the folder that SDKS names; anywhere else these
tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudserve.local.offline import offline_clouds

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "sdks"
RUNNER = Path(__file__).parent / "sdks" / "run_page.py"
ENVIRONMENTS = {
    "sagemaker-sdk-v2": "sagemaker-2",
    "sagemaker-sdk-v3": "sagemaker-3",
    "google-cloud-aiplatform": None,
    "googleapiclient": None,
    "aws-cli": "files",
    "s3fs": "files",
    "gcsfs": "files",
    "tf-io-gfile": None,
    "epath": "files",
}
"""By page, the folder of its environment; None is that of the tests."""


def test_every_page_is_run():
    assert {page.stem for page in PAGES.glob("*.md")} == ENVIRONMENTS.keys()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ENVIRONMENTS)
def test_a_page_says_what_its_code_does(page, shared_models, tmp_path):
    if "SDKS" not in os.environ:
        pytest.skip("SDKS does not name the folder of the SDKs' environments: make oracle-sdks")
    name = ENVIRONMENTS[page]
    programs = Path(os.environ["SDKS"]).resolve() / name / "bin" if name else None
    python = programs / "python" if programs else Path(sys.executable)
    shutil.copytree(shared_models / "tfs_half_plus_two_2v" / "123", tmp_path / "models/half/1")
    own = {"HOME": str(tmp_path), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    with offline_clouds() as clouds:
        done = subprocess.run(
            [str(python), str(RUNNER), str(PAGES / f"{page}.md")],
            cwd=tmp_path,
            env=clouds.apply(os.environ) | own,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("statements ran as the page says\n")
