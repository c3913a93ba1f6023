"""gsutil under Cloud Storage's real host, with no configuration of its own.

`make oracle-gsutil` runs it with the gsutil of the Google Cloud SDK that is installed, or with the
program that GSUTIL names; anywhere else these tests are skipped.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GSUTIL = shutil.which(os.environ.get("GSUTIL", "")) or ""
CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))

if not GSUTIL:
    pytest.skip(
        "GSUTIL does not name gsutil, of the Google Cloud SDK: see `make oracle-gsutil`",
        allow_module_level=True,
    )


@pytest.mark.timeout(600)
def test_files_are_copied_composed_synchronized_and_removed(tmp_path):
    (tmp_path / "hi.txt").write_text("hi\n")
    content = os.urandom(3_000_000)
    (tmp_path / "big").write_bytes(content)
    (tmp_path / "back").mkdir()
    commands = f"""
        set -e
        gsutil() {{ {shlex.quote(GSUTIL)} "$@"; }}
        gsutil mb -l EU gs://from-gsutil
        gsutil cp hi.txt big gs://from-gsutil/a/
        gsutil cat gs://from-gsutil/a/hi.txt
        gsutil compose gs://from-gsutil/a/hi.txt gs://from-gsutil/a/big gs://from-gsutil/joined
        gsutil ls -l gs://from-gsutil/joined | head -n 1 | tr -s ' ' | cut -d ' ' -f 2
        gsutil setmeta -h Cache-Control:no-store gs://from-gsutil/a/hi.txt
        gsutil stat gs://from-gsutil/a/hi.txt | grep -c no-store
        gsutil -h x-goog-if-generation-match:0 cp big gs://from-gsutil/a/hi.txt || echo refused
        gsutil rsync -r gs://from-gsutil/a back
        gsutil -m rm -r gs://from-gsutil
        gsutil ls
    """
    done = subprocess.run(
        [CLOUDSERVE, "emulate", "--intercept", "--", "bash", "-c", commands],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["hi", "3000003", "1", "refused"]
    assert "PreconditionException: 412" in done.stderr
    assert (tmp_path / "back/big").read_bytes() == content
