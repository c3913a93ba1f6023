"""Damaged model files, loaded in a process of their own.

Libraries read such files without all the checks that they need. What one writes beside its memory
would end another test's process later, far from the cause.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from cloudserve.local_server.runtime.model_files import load_any
from cloudserve.local_server.runtime.types import LoadError

ROOT = Path(__file__).parents[1]
VARIANTS, MOST_CHANGES = 60, 6


def load_damaged(whole: Path) -> subprocess.CompletedProcess[str]:
    """Load variants of a model file in a child process; it prints how many loaded."""
    command = [sys.executable, "-m", "tests.damaged_files", str(whole)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _load_all(whole: Path) -> int:
    content, loaded = whole.read_bytes(), 0
    for seed in range(VARIANTS):
        rng = random.Random(seed)
        damaged = bytearray(content)
        for _ in range(rng.randint(1, MOST_CHANGES)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path = whole.with_name(f"damaged-{seed}{whole.suffix}")
        path.write_bytes(damaged)
        try:
            load_any(path).close()
        except LoadError as error:
            assert "\n" not in error.message, (seed, error.message)
        else:
            loaded += 1
    return loaded


if __name__ == "__main__":
    sys.stdout.write(str(_load_all(Path(sys.argv[1]))))
