"""The fields of a target with `provider: ai-platform`, and the version and limits they make.

Source: ml v1's discovery document (Version) and AI Platform's quota page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from cloudserve.errors import UserError
from cloudserve.plural import counted
from cloudserve.project import Where
from cloudserve.release.planning.fitness import check_prebuilt
from cloudserve.release.types import Artifact

from ...options import from_environment

GLOBAL, REGIONAL = "https://ml.googleapis.com", "https://{region}-ml.googleapis.com"
"""Hosts: Compute Engine's machines were on the regional ones alone (ai-platform-samples#242)."""
LEGACY = "mls1-"
MOST_FILES = 1000
LARGEST = {True: 500 * 10**6, False: 10 * 10**9}
"""Bytes of a model on one of the legacy machines, and on any other."""
DECIDED = (
    "framework",
    "runtimeVersion",
    "pythonVersion",
    "machineType",
    "autoScaling",
    "manualScaling",
    "acceleratorConfig",
    "serviceAccount",
)
"""The fields of a Version (ml v1) that the target decides."""
Count = Annotated[int, msgspec.Meta(ge=0)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: ai-platform`."""

    bucket: str
    project: str = from_environment("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
    region: str = "us-central1"
    endpoint_name: str = ""
    """The model's name there; `{model}` stands for the model. By default that, with the target if
    the project has several there."""
    runtime_version: str = "2.11"
    python_version: str = "3.7"
    framework: Literal["TENSORFLOW"] = "TENSORFLOW"
    machine_type: str = "n1-standard-2"
    min_nodes: Count = 0
    """Nodes that always run; 0 leaves it to the platform."""
    max_nodes: Count = 0
    """Nodes to scale up to; 0 leaves it to the platform."""
    nodes: Count = 0
    """A fixed number of nodes, instead of scaling by load."""
    cpu_target: Percent = 0
    """The CPU's load in percent that scaling aims at; 0 leaves it to the platform."""
    gpu_target: Percent = 0
    accelerator_type: str = ""
    accelerator_count: Count = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    endpoint: str = from_environment("CLOUDSDK_API_ENDPOINT_OVERRIDES_ML", default="")
    """The URL of the service; by default Google's host for the machine type."""
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 1800
    """How long an operation is waited for."""

    @property
    def api_endpoint(self) -> str:
        """Return the URL of the service."""
        host = GLOBAL if self.machine_type.startswith(LEGACY) else REGIONAL
        return self.endpoint or host.format(region=self.region)


def check_options(options: Options, where: Where) -> None:
    """Raise UserError for fields that contradict each other."""
    scaled = ("min_nodes", "max_nodes", "cpu_target", "gpu_target")
    scaling_fields = [name for name in scaled if getattr(options, name)]
    if options.nodes and scaling_fields:
        raise _wrong(
            f"`nodes` is a fixed number, `{scaling_fields[0]}` is for scaling",
            where,
            scaling_fields[0],
        )
    if options.max_nodes and options.max_nodes < options.min_nodes:
        raise _wrong("`max_nodes` is below `min_nodes`", where, "max_nodes")
    if bool(options.accelerator_type) != bool(options.accelerator_count):
        message = "`accelerator_type` and `accelerator_count` go together"
        raise _wrong(message, where, "accelerator_type")
    if options.accelerator_type and not options.machine_type.startswith("n1-"):
        message = f"{options.machine_type} takes no accelerator; n1 machines do"
        raise _wrong(message, where, "machine_type")


def check(artifact: Artifact, options: Options) -> tuple[str, ...]:
    """Return what to warn of.

    Raises UserError for what AI Platform refused when it lived, ModelError for a model that its
    runtime cannot answer with.
    """
    if artifact.files > MOST_FILES:
        raise UserError(
            f"the model has {counted(artifact.files, 'file')}; AI Platform takes {MOST_FILES:,}",
            hint="leave out what the model does not need",
        )
    most = LARGEST[options.machine_type.startswith(LEGACY)]
    if artifact.size > most:
        raise UserError(
            f"the model has {counted(artifact.size, 'byte')}; AI Platform takes {most:,} "
            f"on {options.machine_type}",
            hint="export it without optimizer state, or take a larger `machine_type`",
        )
    gpu = bool(options.accelerator_type)
    return check_prebuilt(artifact, "the runtime", options.runtime_version, gpu=gpu)


def version_settings(options: Options) -> dict[str, Any]:
    """Return the fields of a Version (ml v1) that the target decides."""
    settings: dict[str, Any] = {
        "framework": options.framework,
        "runtimeVersion": options.runtime_version,
        "pythonVersion": options.python_version,
        "machineType": options.machine_type,
        **_scaling(options),
    }
    if options.accelerator_type:
        config = {"type": options.accelerator_type, "count": str(options.accelerator_count)}
        settings["acceleratorConfig"] = config
    if options.service_account:
        settings["serviceAccount"] = options.service_account
    return settings


def _scaling(options: Options) -> dict[str, Any]:
    if options.nodes:
        return {"manualScaling": {"nodes": options.nodes}}
    metrics = (("CPU_USAGE", options.cpu_target), ("GPU_DUTY_CYCLE", options.gpu_target))
    scaling = {
        "minNodes": options.min_nodes,
        "maxNodes": options.max_nodes,
        "metrics": [{"name": name, "target": target} for name, target in metrics if target],
    }
    limits = {name: value for name, value in scaling.items() if value}
    return {"autoScaling": limits} if limits else {}


def _wrong(message: str, where: Where, name: str) -> UserError:
    hint = f"correct `{name}`, or leave it out for the default"
    return UserError(message, where=where(name), hint=hint)
