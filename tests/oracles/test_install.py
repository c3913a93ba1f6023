"""A release by what users install: the sdist and the wheel, each in a fresh environment.

`make oracle-install` runs it: pip installs TensorFlow and the SDKs twice, from its index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

if "ORACLE_INSTALL" not in os.environ:
    pytest.skip("ORACLE_INSTALL is not set: see `make oracle-install`", allow_module_level=True)

pytestmark = pytest.mark.timeout(1800)

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".*", "build", "dist", "*.egg-info", "__pycache__", "demo-work")
TARGETS = """\
models:
  half:
    path: {model}
targets:
  aws:
    provider: sagemaker
    bucket: s3://installed-models
    role_arn: arn:aws:iam::000000000000:role/rehearsal
    region: us-east-1
  gcp:
    provider: vertex
    bucket: gs://installed-models
    project: rehearsal
"""
RELEASES = """\
set -e
for target in aws gcp; do
  cloudserve deploy half --target $target
  echo '{"instances": [1.0, 5.0]}' | cloudserve predict half --target $target
  cloudserve status half --target $target
done
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    source = tmp_path_factory.mktemp("source") / "cloudserve"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", out, source], check=True)
    return out


@pytest.mark.parametrize("kind", ["*.tar.gz", "*.whl"])
def test_an_installed_archive_releases_to_both_clouds(built, tmp_path, shared_models, kind):
    bin_folder = tmp_path / "venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    archive = next(built.glob(kind))
    pip = [bin_folder / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{archive}[all]"], check=True)
    model = shared_models / "tfs_half_plus_two_tf2"
    (tmp_path / "cloudserve.yaml").write_text(TARGETS.format(model=model))
    environment = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CLOUDSERVE_ACTOR": "ada",
    }
    done = subprocess.run(
        [bin_folder / "cloudserve", "emulate", "--port", "0", "--", "sh", "-c", RELEASES],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("4.5") == 2
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
