"""Checks of a model against the image that serves a target, for adapters."""

from __future__ import annotations

from cloudserve.errors import ModelError
from cloudserve.images.container_images import tensorflow_serving_of
from cloudserve.release.types import Artifact
from cloudserve.savedmodel.checks.op_packages import foreign_op_text, foreign_ops, is_built_in
from cloudserve.savedmodel.checks.op_table import minor_version, read_table
from cloudserve.savedmodel.checks.servable import check_is_restored, variables_text


def check_prebuilt(artifact: Artifact, server: str, version: str) -> tuple[str, ...]:
    """Return warnings about a model on a platform's own TensorFlow image.

    TensorFlow Serving runs in these. `server` names the image, `version` is its TensorFlow, "" if
    unknown. Raises ModelError for ops that the image does not have, and for variables
    that it does not restore.
    """
    where = str(artifact.path) if artifact.path else None
    check_is_restored(artifact.unrestored, where)
    foreign = foreign_ops(artifact.ops)
    lacking = [op for op in foreign if not is_built_in(op, version)]
    if lacking:
        raise ModelError(
            f"{server} has no op {foreign_op_text(lacking[0])}, which the model uses",
            where=where,
            hint="name a container of your own with `image` that has the op",
        )
    _check_version(artifact, server, version, where)
    return _unknown(artifact, server, version) + _built_in(foreign, server)


def _check_version(artifact: Artifact, server: str, version: str, where: str | None) -> None:
    table = read_table()
    missing = table.missing(set(artifact.ops) - set(foreign_ops(artifact.ops)), version)
    if missing:
        op, first = missing[0], table.first(missing[0])
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise ModelError(
            f"{server} has TensorFlow {version}, which has no op `{op}`{others}: the model does "
            f"not load there (TensorFlow {first} has it)",
            where=where,
            hint="export the model with the target's TensorFlow, or name a newer image",
        )


def _unknown(artifact: Artifact, server: str, version: str) -> tuple[str, ...]:
    if not version or minor_version(version) in read_table().versions or not artifact.ops:
        return ()
    sentence = (
        f"{server} has TensorFlow {version}, whose ops are unknown here: whether it loads the "
        "model is not checked"
    )
    return (sentence,)


def _built_in(foreign: tuple[str, ...], server: str) -> tuple[str, ...]:
    if not foreign:
        return ()
    named = ", ".join(map(foreign_op_text, foreign))
    return (f"the model uses ops that are not TensorFlow's own: {named}; {server} has its own",)


def check_own_image(artifact: Artifact, image: str) -> tuple[str, ...]:
    """Return warnings about a model on the user's own image, which may contain any server.

    An image that is TensorFlow Serving by its name is checked as a prebuilt image.
    """
    version = tensorflow_serving_of(image)
    return (
        _own_warnings(artifact, image)
        if version is None
        else check_prebuilt(artifact, image, version)
    )


def _own_warnings(artifact: Artifact, image: str) -> tuple[str, ...]:
    warnings = []
    if artifact.unrestored:
        warnings.append(
            f"TensorFlow Serving does not restore {variables_text(artifact.unrestored)} of this "
            f"model; cloudserve's own server does: {image} must run that"
        )
    if foreign := foreign_ops(artifact.ops):
        named = ", ".join(map(foreign_op_text, foreign))
        warnings.append(
            f"the model uses ops that are not TensorFlow's own: {named}; {image} must have them"
        )
    return tuple(warnings)
