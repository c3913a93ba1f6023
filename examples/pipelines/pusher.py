"""A replacement of TFX's Pusher: pushes a blessed model to a cloud, not to a folder.

As TFX's own component (tfx/components/pusher/component.py), it takes the directories of a Model and
of a ModelBlessing, and pushes nothing if the blessing is missing. Call it from a custom component,
or from any orchestrator that hands artifacts over as directories. It needs no TFX.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cloudserve

SERVING_MODEL, BLESSED, PUSHED = "Format-Serving", "BLESSED", "pushed.json"
"""Names inside the artifacts. Source: tfx/utils/path_utils.py, tfx/components/evaluator."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did; written into the directory of the PushedModel artifact."""

    revision: str
    """"" if the model was not blessed."""
    changed: bool
    endpoint: str = ""


def push(
    model: Path,
    pushed_model: Path,
    *,
    name: str,
    target: str,
    blessing: Path | None = None,
    version: int | None = None,
) -> Pushed:
    """Deploy and promote the serving model of an artifact, if it is blessed.

    `version` is by default the Unix time, as with TFX. Pushing the same files again changes
    nothing. Raises GateRefusedError if a gate of the target refuses the version.
    """
    if blessing is not None and not (blessing / BLESSED).exists():
        return _written(Pushed("", changed=False), pushed_model)
    project = cloudserve.load_project("cloudserve.yaml")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / name
        shutil.copytree(model / SERVING_MODEL, base / str(_number(project, name, target, version)))
        project = replace(project, models={name: cloudserve.Model(name, base)})
        deployed = cloudserve.deploy(project, name, target)
        revision = deployed.plan.revision.id
        outcome = cloudserve.promote(project, name, target, version=revision)
    endpoint = outcome.deployment.endpoint or ""
    changed = deployed.changed or outcome.changed
    return _written(Pushed(revision, changed, endpoint), pushed_model)


def _number(project: cloudserve.Project, name: str, target: str, version: int | None) -> int:
    known = replace(project, models={name: cloudserve.Model(name, Path())})
    deployed = [each.revision.number for each in cloudserve.status(known, name, target).revisions]
    return version or max([int(time.time()), *(number + 1 for number in deployed)])


def _written(pushed: Pushed, folder: Path) -> Pushed:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PUSHED).write_text(json.dumps(asdict(pushed)))
    return pushed
