"""Checks of a model against the image that serves a target, for adapters."""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.errors import ModelError
from cloudserve.images.container_images import tensorflow_serving_of
from cloudserve.release.types import Artifact
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_op_text, foreign_ops, is_built_in
from cloudserve.savedmodel.checks.op_table import minor_version, read_table
from cloudserve.savedmodel.checks.servable import check_is_restored, variables_text


def check_prebuilt(
    artifact: Artifact, server: str, version: str, *, gpu: bool = False
) -> tuple[str, ...]:
    """Return warnings about a model on a platform's own TensorFlow image.

    TensorFlow Serving runs in these. `server` names the image, `version` is its TensorFlow, "" if
    unknown, `gpu` is whether it has a GPU. Raises ModelError for ops that the image does not have
    or cannot run, and for variables that it does not restore.
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
    _check_needs(artifact, server, version, where)
    _check_kernels(artifact, server, version, where, gpu=gpu)
    return _unknown(artifact, server, version) + _built_in(foreign, server)


def _check_version(artifact: Artifact, server: str, version: str, where: str | None) -> None:
    table = read_table()
    missing = table.missing(set(artifact.ops) - set(foreign_ops(artifact.ops)), version)
    if missing:
        raise ModelError(
            f"{server} has TensorFlow {version}, which has no op {_named(missing)}: the model does "
            f"not load there (TensorFlow {table.first(missing[0])} has it)",
            where=where,
            hint="export the model with the target's TensorFlow, or name an image that has it",
        )


def _check_needs(artifact: Artifact, server: str, version: str, where: str | None) -> None:
    if artifact.needs and (refusal := artifact.needs.refusal(version)):
        raise ModelError(
            f"{server} has TensorFlow {version}, which does not load the graph: `{refusal}`",
            where=where,
            hint="export the model with the target's TensorFlow, or name an image of a later one",
        )


def _check_kernels(
    artifact: Artifact, server: str, version: str, where: str | None, *, gpu: bool
) -> None:
    table = read_kernel_table()
    lacking = table.lacking(artifact.kernel_ops, version, gpu=gpu)
    if lacking:
        raise ModelError(
            f"{server} has TensorFlow {version}, which has no kernel for the op {_named(lacking)}: "
            "what runs it fails with `No OpKernel was registered`",
            where=where,
            hint=_with_kernel(lacking[0], version, gpu=gpu),
        )


def _named(ops: Sequence[str]) -> str:
    """Return the first of some ops, and the number of the others."""
    others = f" and {len(ops) - 1} others" if len(ops) > 1 else ""
    return f"`{ops[0]}`{others}"


def _with_kernel(op: str, version: str, *, gpu: bool) -> str:
    """Return what to do about an op without a kernel."""
    table = read_kernel_table()
    if not gpu and table.on_gpu.listed([op], version):
        return f"name a machine with a GPU, or export the model without `{op}`"
    versions = table.versions_with(op)
    having = f"TensorFlow {versions} has one" if versions else "no TensorFlow has one for the CPU"
    return f"export the model without `{op}`, or name an image with a kernel for it: {having}"


def _unknown(artifact: Artifact, server: str, version: str) -> tuple[str, ...]:
    if not version or minor_version(version) in read_table().versions or not artifact.ops:
        return ()
    sentence = (
        f"{server} has TensorFlow {version}, whose ops are unknown here, so the model is not "
        "checked"
    )
    return (sentence,)


def _built_in(foreign: tuple[str, ...], server: str) -> tuple[str, ...]:
    if not foreign:
        return ()
    named = ", ".join(map(foreign_op_text, foreign))
    return (f"the model uses ops that are not TensorFlow's own: {named}; {server} has its own",)


def check_own_image(artifact: Artifact, image: str, *, gpu: bool = False) -> tuple[str, ...]:
    """Return warnings about a model on the user's own image, which may contain any server.

    An image that is TensorFlow Serving by its name is checked as a prebuilt image.
    """
    version = tensorflow_serving_of(image)
    return (
        _own_warnings(artifact, image, gpu=gpu)
        if version is None
        else check_prebuilt(artifact, image, version, gpu=gpu)
    )


def _own_warnings(artifact: Artifact, image: str, *, gpu: bool) -> tuple[str, ...]:
    warnings = []
    newest = tuple(read_table().versions)[-1]
    if lacking := read_kernel_table().lacking(artifact.kernel_ops, newest, gpu=gpu):
        warnings.append(
            f"TensorFlow {newest} has no kernel for the op {_named(lacking)}: {image} must have one"
        )
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
