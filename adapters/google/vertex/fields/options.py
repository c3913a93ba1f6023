"""The fields of a target with `provider: vertex`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from ....options import from_environment

Count = Annotated[int, msgspec.Meta(ge=0)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Route = Annotated[str, msgspec.Meta(pattern=r"^(/.*)?$", description="a path that begins with /")]
Alias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!(live|default|previous)$)([a-z][a-z0-9-]{0,126}[a-z0-9])?$",
        description="an alias of lower-case letters, digits and -, which cloudserve does not set",
    ),
]


Network = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(projects/[0-9]+/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$",
        description="projects/NUMBER/global/networks/NAME, with the project's number",
    ),
]
Key = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)?$",
        description="projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY",
    ),
]


class PrivateServiceConnect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The field `private_service_connect`."""

    projects: tuple[str, ...] = ()
    """The projects whose networks may connect."""


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: vertex`."""

    bucket: str
    project: str = from_environment("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
    region: str = from_environment("CLOUDSDK_AI_REGION", default="us-central1")
    endpoint_name: str = ""
    """The endpoint; `{model}` stands for the model. By default that, with the target if needed."""

    tensorflow_version: str = ""
    """The version of Google's prebuilt TensorFlow image; by default the newest."""
    image: str = ""
    """A container image of one's own that speaks TensorFlow Serving's REST API, instead."""
    rehearse: Mapping[str, str] = field(default_factory=dict)
    """`command`: what the offline clouds run instead of `image`."""
    args: str | None = None
    """The container's arguments, as a shell would split them; TensorFlow Serving's by default.

    "" for none, such as the image of `cloudserve image` needs.
    """
    env: Mapping[str, str] = field(default_factory=dict)
    """The container's environment."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080
    predict_route: Route = ""
    health_route: Route = ""

    machine_type: str = "n1-standard-2"
    accelerator_type: str = ""
    accelerator_count: Count = 0
    spot: bool = False
    min_replicas: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_replicas: Count = 0
    """0: as many as `min_replicas`, without autoscaling."""
    cpu_target: Percent = 0
    """The CPU's load in percent that autoscaling aims at; 0 leaves it to the platform (60)."""
    gpu_target: Percent = 0
    """The accelerators' duty cycle in percent that autoscaling aims at; 0 as for the CPU."""
    request_target: Count = 0
    """The requests per replica that autoscaling aims at; 0 leaves it to the other metrics."""
    service_account: str = ""
    access_logging: bool = False
    container_logging: bool = True

    dedicated_endpoint: bool = False
    """Give the endpoint a host of its own: 10 MB a request instead of 1.5, an hour for each."""
    network: Network = ""
    """The network that the endpoint is peered with, which alone reaches it."""
    private_service_connect: PrivateServiceConnect | None = None
    """Projects whose networks alone reach the endpoint, through Private Service Connect."""
    kms_key: Key = ""
    """The key that encrypts the model versions and the endpoint; in the endpoint's region."""
    keep_idle: Count = 1
    """How many revisions without traffic stay deployed, for a quick way back."""
    approval_alias: Alias = ""
    """The alias of a model version that approves it for traffic, for the gate `approval`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the model versions and the endpoint, beside cloudserve's own."""
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Raw fields of `upload_model`, `create_endpoint` and `deploy_model`."""
    endpoint: str = from_environment("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", default="")
    """The URL of the service; by default the region's host."""
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 3600
    """How long an operation is waited for."""

    @property
    def is_private(self) -> bool:
        """Return whether the endpoint is reached from inside a network alone."""
        return bool(self.network) or self.private_service_connect is not None

    @property
    def api_endpoint(self) -> str:
        """Return the URL of the service."""
        return self.endpoint or f"https://{self.region}-aiplatform.googleapis.com"
