"""A training pipeline's last step: four lines release what it exported.

`python train_and_promote.py EXPORTS` in a folder with a cloudserve.yaml; EXPORTS is the model's
base path, in which training has just written a NUMBER/ directory.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cloudserve


def release(exports: Path, name: str, target: str) -> cloudserve.Outcome:
    """Deploy the newest version below `exports` and promote it; return what was done.

    Raises `cloudserve.errors.GateRefusedError`, with the verdicts, if a gate of the target refuses
    the version: the live one keeps its traffic.
    """
    project = cloudserve.load_project("cloudserve.yaml")
    project = replace(project, models={name: cloudserve.Model(name, exports)})
    revision = cloudserve.deploy(project, name, target, notify=print).plan.revision.id
    return cloudserve.promote(project, name, target, version=revision, notify=print)


if __name__ == "__main__":
    outcome = release(Path(sys.argv[1]), *sys.argv[2:4])
    print(f"{outcome.plan.revision.id} is live: {dict(outcome.deployment.traffic)}")
