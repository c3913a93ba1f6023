"""Enum numbers that gapic clients send and discovery documents omit.

A discovery document lists an enum's names in declaration order, which usually is the order of
their numbers. This table has the exceptions (google-cloud-aiplatform's own types).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_NUMBERS: Mapping[str, Mapping[int, str]] = {
    "GoogleCloudAiplatformV1MachineSpec.AcceleratorType": {
        0: "ACCELERATOR_TYPE_UNSPECIFIED",
        1: "NVIDIA_TESLA_K80",
        2: "NVIDIA_TESLA_P100",
        3: "NVIDIA_TESLA_V100",
        4: "NVIDIA_TESLA_P4",
        5: "NVIDIA_TESLA_T4",
        6: "TPU_V2",
        7: "TPU_V3",
        8: "NVIDIA_TESLA_A100",
        9: "NVIDIA_A100_80GB",
        10: "TPU_V4_POD",
        11: "NVIDIA_L4",
        12: "TPU_V5_LITEPOD",
        13: "NVIDIA_H100_80GB",
        14: "NVIDIA_H100_MEGA_80GB",
        15: "NVIDIA_H200_141GB",
        16: "NVIDIA_B200",
        17: "NVIDIA_GB200",
        18: "NVIDIA_RTX_PRO_6000",
    },
    "GoogleCloudAiplatformV1ExplanationMetadataInputMetadataVisualization.ColorMap": {
        0: "COLOR_MAP_UNSPECIFIED",
        1: "PINK_GREEN",
        2: "VIRIDIS",
        3: "RED",
        4: "GREEN",
        5: "PINK_WHITE_GREEN",
        6: "RED_GREEN",
    },
}


def name_of(enum: str, names: Sequence[str], number: int) -> str | None:
    """Return the name of an enum's number, or None for an unknown number."""
    numbers = _NUMBERS.get(enum)
    if numbers is not None:
        return numbers.get(number)
    return names[number] if 0 <= number < len(names) else None
