"""The gate *load*: the target's server can load the model and answer with it.

The adapter compares the model with the server that the target names: the ops of its TensorFlow, and
the variables that TensorFlow Serving restores (`cloudserve.release.planning.fitness`).
"""

from __future__ import annotations

from cloudserve.errors import ModelError
from cloudserve.plural import counted
from cloudserve.release.provider import Provider
from cloudserve.release.types import Artifact
from cloudserve.release.verdict import Ruling, Verdict
from cloudserve.savedmodel.checks.op_packages import foreign_ops

LOAD = "load"


def check_load(provider: Provider, artifact: Artifact) -> Verdict:
    """Return whether the target's server can load a model.

    Raises UserError for what is not the model's fault: limits, the bucket's place, the target's
    fields.
    """
    figures = {
        "ops": len(artifact.ops),
        "kernel_ops": len(artifact.kernel_ops),
        "foreign_ops": list(foreign_ops(artifact.ops)),
        "unrestored": list(artifact.unrestored),
        "files": artifact.files,
        "bytes": artifact.size,
    }
    try:
        warnings = provider.check(artifact)
    except ModelError as error:
        place, hint = error.where or "", error.hint or ""
        return Verdict(LOAD, Ruling.REFUSED, error.message, figures, hint=hint, where=place)
    sentence = (
        f"no objection to the {counted(len(artifact.ops), 'op')} of the model or its variables"
    )
    if warnings:
        sentence = f"with {counted(len(warnings), 'warning')}"
    return Verdict(LOAD, Ruling.PASSED, sentence, figures, warnings)
