"""AI Platform's target fields -> Vertex AI's: the entry point `ai-platform` of the migrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudserve.migration import Mapped, Migration
from cloudserve.project import Field, Target

from .ai_platform.options import LEGACY
from .vertex.fields.images import ENDS, NEWEST

REASON = "By `cloudserve migrate`: Google shut AI Platform Prediction down on 31 January 2025."
DEFAULT_MACHINE, DEFAULT_REGION = "n1-standard-2", "us-central1"
Rule = Callable[[str, Field, Mapping[str, Field]], Mapped]


def to_vertex(target: Target) -> Migration:
    """Return what becomes of each field that a target with `provider: ai-platform` sets.

    A field that is not known is kept out with a note. A runtime becomes the newest prebuilt image,
    which serves older models; nodes become replicas, of which Vertex AI keeps one at least.
    """
    fields = {name: value for name, value in target.fields.items() if value is not None}
    mapped = [RULES.get(name, _unknown)(name, value, fields) for name, value in fields.items()]
    if "region" not in fields:
        note = "written out: the bucket has to be in it"
        mapped.append(Mapped("region", None, "region", DEFAULT_REGION, note))
    if "runtime_version" not in fields:
        mapped.append(_image("runtime_version", None, fields))
    if _is_scaled(fields) and "max_nodes" not in fields:
        least = max(1, _number(fields.get("min_nodes")))
        note = "Vertex AI scales up to a number that is given; choose yours"
        mapped.append(Mapped("max_nodes", None, "max_replicas", 2 * least, note))
    return Migration("vertex", REASON, tuple(mapped))


def _same(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    return Mapped(name, value, name, value)


def _dropped(note: str) -> Rule:
    def rule(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
        del fields
        return Mapped(name, value, "", None, note)

    return rule


def _image(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    note = (
        "the newest prebuilt image; it serves models of older runtimes, 1.15's too, "
        f"until {ENDS[NEWEST]}: then `image`"
    )
    return Mapped(name, value, "tensorflow_version", NEWEST, note)


def _machine(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    if str(value).startswith(LEGACY):
        note = "Vertex AI has no legacy machines"
        return Mapped(name, value, name, DEFAULT_MACHINE, note)
    return Mapped(name, value, name, value)


def _min_nodes(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    if _number(value) < 1:
        return Mapped(name, value, "min_replicas", 1, "one replica always runs")
    return Mapped(name, value, "min_replicas", value)


def _max_nodes(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    if _number(value) < 1:
        return Mapped(name, value, "", None, "0 left it to the platform")
    if _is_scaled(fields) and _number(value) < 2:  # noqa: PLR2004 - one replica cannot scale
        return Mapped(name, value, "max_replicas", 2, "a target to scale at needs two")
    return Mapped(name, value, "max_replicas", value)


def _nodes(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    if _number(value) < 1:
        return Mapped(name, value, "", None, "0 left it to the platform")
    return Mapped(name, value, "min_replicas", value, "without max_replicas the number is fixed")


def _gpu_target(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    if _number(value) and not fields.get("accelerator_type"):
        return Mapped(name, value, "", None, "the machine has no accelerators")
    return Mapped(name, value, name, value)


def _is_scaled(fields: Mapping[str, Field]) -> bool:
    gpu_target = fields.get("accelerator_type") and _number(fields.get("gpu_target"))
    return bool(gpu_target or _number(fields.get("cpu_target")))


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0


def _unknown(name: str, value: Field, fields: Mapping[str, Field]) -> Mapped:
    del fields
    return Mapped(name, value, "", None, "AI Platform has no such field")


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            "bucket",
            "endpoint_name",
            "project",
            "region",
            "accelerator_type",
            "accelerator_count",
            "cpu_target",
            "labels",
            "service_account",
            "timeout_seconds",
        ),
        _same,
    ),
    "gpu_target": _gpu_target,
    "runtime_version": _image,
    "machine_type": _machine,
    "min_nodes": _min_nodes,
    "max_nodes": _max_nodes,
    "nodes": _nodes,
    "python_version": _dropped("the image has its own"),
    "framework": _dropped("the image is TensorFlow's"),
    "endpoint": _dropped("AI Platform's; Vertex AI has a host for each region"),
}
