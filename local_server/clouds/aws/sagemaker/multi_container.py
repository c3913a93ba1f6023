"""Models of several containers: a pipeline (Serial), or containers that requests name (Direct).

Sources: SageMaker API reference, `ContainerDefinition.ContainerHostname` and
`InferenceExecutionConfig`; developer guide, "Create a multi-container endpoint" and "Serverless
Inference" (feature exclusions); for the text on multi-model containers,
OElesin/sagemaker-autopilot-step-functions#10. The other texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...resources import Document
from ..protocol.errors import invalid

PRIMARY = "primary"
"""What messages call the only container of a model."""
SERIAL, DIRECT = "Serial", "Direct"
_MULTI_MODEL = "MultiModel"


def given_containers(body: Mapping[str, Any]) -> list[Document]:
    """Return the containers of a CreateModel request; raises AwsError."""
    if "PrimaryContainer" in body and body.get("Containers"):
        raise invalid("Only one of PrimaryContainer and Containers can be specified.")
    containers: list[Document] = body.get("Containers") or []
    if "PrimaryContainer" in body:
        containers = [body["PrimaryContainer"]]
    if not containers:
        raise invalid("At least one of PrimaryContainer and Containers must be provided.")
    if len(containers) == 1 and mode_of(body) == DIRECT:
        raise invalid("InferenceExecutionConfig with Mode Direct needs more than one container.")
    if len(containers) > 1:
        _check_several(containers, mode_of(body))
    return containers


def _check_several(containers: Sequence[Mapping[str, Any]], mode: str) -> None:
    multi = [each for each in containers if each.get("Mode") == _MULTI_MODEL]
    if len(multi) > 1:
        raise invalid(
            "More than one container in MultiModel mode is not supported with inference pipeline."
        )
    if multi:
        raise invalid("A MultiModel container beside others is not available offline.")
    names = [each["ContainerHostname"] for each in containers if "ContainerHostname" in each]
    if len(names) < len(containers) and (names or mode == DIRECT):
        raise invalid(f"ContainerHostname is required for every container of a {mode} model.")
    if len(set(names)) < len(names):
        raise invalid("ContainerHostname must be unique among the containers of a model.")


def mode_of(model: Mapping[str, Any]) -> str:
    """Return how requests reach the containers of a model."""
    mode: str = model.get("InferenceExecutionConfig", {}).get("Mode", SERIAL)
    return mode


def containers_of(model: Mapping[str, Any]) -> list[Document]:
    """Return the containers of a stored model."""
    containers: list[Document] = model.get("Containers") or [model["PrimaryContainer"]]
    return containers


def only_container(model: Mapping[str, Any], purpose: str) -> Document:
    """Return the only container of a stored model; raises AwsError if there are several."""
    containers = containers_of(model)
    if len(containers) > 1:
        raise invalid(f"A model of several containers cannot be used {purpose}.")
    return containers[0]


def names_of(containers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what messages, logs and requests call the containers of a model.

    The service assigns names by position (aws/amazon-sagemaker-examples#1072: "container-2").
    """
    if len(containers) == 1:
        return [PRIMARY]
    return [
        each.get("ContainerHostname") or f"container-{number}"
        for number, each in enumerate(containers, 1)
    ]
