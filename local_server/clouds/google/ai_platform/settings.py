"""Validation of a new version's settings, with AI Platform's error texts if they are known.

Source: Version in ml v1's discovery document; AI Platform, "Choosing a machine type for online
prediction" and "Runtime version list"; issues of its users for the texts
(ai-platform-text-classifier-shap#4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...resources import Document
from ..common.errors import ApiError

DEFAULT_MACHINE = "mls1-c1-m2"
"""Default of the global endpoint; a regional one has n1-standard-2."""
_LEGACY = "mls1-"
_MACHINES = re.compile(r"mls1-c[14]-m2|n1-(standard|highmem|highcpu)-(2|4|8|16|32)")
_ACCELERATORS = {
    "NVIDIA_TESLA_K80": (1, 2, 4, 8),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
_RUNTIME = re.compile(r"([12])\.([0-9]{1,2})")
_RUNTIMES = {1: range(16), 2: range(1, 12)}
"""Minor versions by major version."""
_NOT_OFFLINE = ("container", "packageUris", "predictionClass", "explanationConfig", "routes")
_MOST_LABELS, _LONGEST_LABEL = 64, 63
_LABEL = re.compile(r"[\w-]*")


def with_defaults(version: Document) -> Document:
    """Return a version with the service's defaults for missing fields."""
    return {"framework": "TENSORFLOW", "machineType": DEFAULT_MACHINE, **version}


def check_settings(version: Mapping[str, Any]) -> None:
    """Raise ApiError for settings that the service refuses or that cannot be served offline."""
    _check_available(version)
    _check_runtime(version)
    check_labels("version", version)
    machine = version.get("machineType") or DEFAULT_MACHINE
    if not _MACHINES.fullmatch(machine):
        raise _invalid("machine_type", f"Machine type '{machine}' is not supported.")
    check_scaling(version, machine)
    _check_accelerator(version, machine)


def _check_available(version: Mapping[str, Any]) -> None:
    if version.get("predictionClass") and version.get("framework"):
        raise ApiError.of_field(
            Code.FAILED_PRECONDITION,
            "prediction_class",
            'Exactly one of "prediction_class" and "framework" may be provided. In order to use a'
            ' custom prediction class, "framework" should be left unspecified.',
        )
    for field in _NOT_OFFLINE:
        if version.get(field):
            raise ApiError(Code.UNIMPLEMENTED, f"version.{field} is not available offline.")
    if version.get("framework", "TENSORFLOW") not in {"TENSORFLOW", "FRAMEWORK_UNSPECIFIED"}:
        raise ApiError(Code.UNIMPLEMENTED, "Only the framework TENSORFLOW is available offline.")


def _check_runtime(version: Mapping[str, Any]) -> None:
    for field, name in (("runtimeVersion", "runtime_version"), ("pythonVersion", "python_version")):
        if not version.get(field):
            raise _invalid(name, "This field is required.")
    runtime, python = version["runtimeVersion"], version["pythonVersion"]
    match = _RUNTIME.fullmatch(runtime)
    numbers = (int(match[1]), int(match[2])) if match else (0, 0)
    is_known = numbers[1] in _RUNTIMES.get(numbers[0], ())
    if not is_known or python not in _pythons(numbers):
        raise _invalid(
            "runtime_version",
            f"The specified runtime version '{runtime}' with the Python version '{python}' is not"
            " supported or is deprecated. Please specify a different runtime version. See"
            " https://cloud.google.com/ml/docs/concepts/runtime-version-list for a list of"
            " supported versions",
        )


def _pythons(runtime: tuple[int, int]) -> set[str]:
    """Return the Python versions of a runtime (Version.pythonVersion)."""
    return {
        *({"2.7"} if runtime <= (1, 15) else ()),
        *({"3.5"} if (1, 4) <= runtime <= (1, 14) else ()),
        *({"3.7"} if runtime >= (1, 15) else ()),
    }


def check_scaling(version: Mapping[str, Any], machine: str) -> None:
    """Raise ApiError for numbers of nodes that contradict each other or the machine type."""
    auto, manual = version.get("autoScaling", {}), version.get("manualScaling", {})
    if auto and manual:
        raise _invalid("auto_scaling", "Only one of auto_scaling and manual_scaling may be set.")
    if manual and manual.get("nodes", 0) < 1:
        raise _invalid("manual_scaling.nodes", "The number of nodes must be at least 1.")
    least, most = auto.get("minNodes"), auto.get("maxNodes", 0)
    if least is not None and least < (0 if machine.startswith(_LEGACY) else 1):
        raise _invalid(
            "auto_scaling.min_nodes",
            f"min_nodes is {least}; it must be at least 1 for use with a Compute Engine machine"
            " type.",
        )
    if most and most < (least or 1):
        raise _invalid("auto_scaling.max_nodes", f"max_nodes is {most}, less than min_nodes.")


def _check_accelerator(version: Mapping[str, Any], machine: str) -> None:
    config = version.get("acceleratorConfig")
    if not config:
        return
    kind, count = config.get("type", "ACCELERATOR_TYPE_UNSPECIFIED"), int(config.get("count", 0))
    if machine.startswith(_LEGACY):
        raise _invalid(
            "accelerator_config",
            f"Machine type '{machine}' has no accelerators; Compute Engine (N1) types do.",
        )
    if count not in _ACCELERATORS.get(kind, ()):
        raise _invalid("accelerator_config", f"{machine} does not support {count} of {kind}.")


def check_labels(kind: str, resource: Mapping[str, Any]) -> None:
    """Raise ApiError for too many labels, or for invalid keys or values."""
    labels: Mapping[str, str] = resource.get("labels", {})
    if len(labels) > _MOST_LABELS:
        text = f"There are {len(labels)} labels; at most {_MOST_LABELS} are allowed."
        raise ApiError.of_field(Code.INVALID_ARGUMENT, f"{kind}.labels", text)
    for key, value in labels.items():
        is_key = key[:1].isalpha() and _is_label(key)
        if not is_key or not _is_label(value):
            text = (
                f'"{key}": "{value}" is not a label: up to {_LONGEST_LABEL} lowercase letters,'
                " digits, underscores and dashes; a key begins with a letter."
            )
            raise ApiError.of_field(Code.INVALID_ARGUMENT, f"{kind}.labels", text)


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and bool(_LABEL.fullmatch(text)) and text == text.lower()


def _invalid(field: str, description: str) -> ApiError:
    return ApiError.of_field(Code.INVALID_ARGUMENT, f"version.{field}", description)
