"""Google permissions that are denied offline, and the services' words for a refusal.

The text and the reason are those of users' reports (googleapis/python-aiplatform#1880,
rpurinton/gemini-php#4; `IAM_PERMISSION_DENIED` in google-gemini/gemini-cli#1966).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from ....status import Code
from .discovery import Call
from .errors import ApiError

_VERTEX = "aiplatform.projects.locations."
VERTEX: Mapping[str, str] = MappingProxyType(
    {
        "batchPredictionJobs.cancel": "aiplatform.batchPredictionJobs.cancel",
        "batchPredictionJobs.create": "aiplatform.batchPredictionJobs.create",
        "batchPredictionJobs.delete": "aiplatform.batchPredictionJobs.delete",
        "batchPredictionJobs.get": "aiplatform.batchPredictionJobs.get",
        "batchPredictionJobs.list": "aiplatform.batchPredictionJobs.list",
        "deploymentResourcePools.create": "aiplatform.deploymentResourcePools.create",
        "deploymentResourcePools.delete": "aiplatform.deploymentResourcePools.delete",
        "deploymentResourcePools.get": "aiplatform.deploymentResourcePools.get",
        "deploymentResourcePools.list": "aiplatform.deploymentResourcePools.list",
        "deploymentResourcePools.queryDeployedModels": (
            "aiplatform.deploymentResourcePools.queryDeployedModels"
        ),
        "endpoints.create": "aiplatform.endpoints.create",
        "endpoints.delete": "aiplatform.endpoints.delete",
        "endpoints.deployModel": "aiplatform.endpoints.deploy",
        "endpoints.directRawPredict": "aiplatform.endpoints.predict",
        "endpoints.explain": "aiplatform.endpoints.explain",
        "endpoints.get": "aiplatform.endpoints.get",
        "endpoints.list": "aiplatform.endpoints.list",
        "endpoints.mutateDeployedModel": "aiplatform.endpoints.update",
        "endpoints.patch": "aiplatform.endpoints.update",
        "endpoints.predict": "aiplatform.endpoints.predict",
        "endpoints.rawPredict": "aiplatform.endpoints.predict",
        "endpoints.streamRawPredict": "aiplatform.endpoints.predict",
        "endpoints.undeployModel": "aiplatform.endpoints.undeploy",
        "endpoints.update": "aiplatform.endpoints.update",
        "models.copy": "aiplatform.models.upload",
        "models.delete": "aiplatform.models.delete",
        "models.deleteVersion": "aiplatform.models.delete",
        "models.export": "aiplatform.models.export",
        "models.get": "aiplatform.models.get",
        "models.list": "aiplatform.models.list",
        "models.listVersions": "aiplatform.models.list",
        "models.mergeVersionAliases": "aiplatform.models.update",
        "models.patch": "aiplatform.models.update",
        "models.upload": "aiplatform.models.upload",
        "operations.list": "aiplatform.operations.list",
        "models.operations.list": "aiplatform.operations.list",
        "endpoints.operations.list": "aiplatform.operations.list",
        "deploymentResourcePools.operations.list": "aiplatform.operations.list",
    }
)
"""The permission that a method of Vertex AI needs; others need none.

Source: Vertex AI documentation, "Vertex AI IAM permissions". It does not list
`mutateDeployedModel`, which changes an endpoint.
"""
OBSERVABILITY: Mapping[str, str] = MappingProxyType(
    {
        "logging.entries.list": "logging.logEntries.list",
        "logging.entries.write": "logging.logEntries.create",
        "logging.logs.list": "logging.logs.list",
        "monitoring.projects.timeSeries.list": "monitoring.timeSeries.list",
        "monitoring.projects.metricDescriptors.list": "monitoring.metricDescriptors.list",
        "monitoring.projects.metricDescriptors.get": "monitoring.metricDescriptors.get",
    }
)
"""The same of Cloud Logging and Cloud Monitoring.

Source: their documentation, "Access control with IAM".
"""

IMPERSONATE = "iam.serviceAccounts.getAccessToken"
"""The permission to impersonate a service account."""

_PERMISSION = re.compile(r"[a-z][a-z0-9]*\.[A-Za-z]+\.[A-Za-z]+", re.ASCII)


def check_names(permissions: Iterable[str]) -> None:
    """Refuse what `testIamPermissions` does not take (ApiError).

    Source: the discovery documents of aiplatform v1 and cloudresourcemanager v3: wildcards "are not
    allowed".
    """
    for name in permissions:
        if not _PERMISSION.fullmatch(name):
            text = f"Permission {name} is not valid for this resource."
            raise ApiError(Code.INVALID_ARGUMENT, text)


class Denied:
    """The permissions that the caller does not have, by name or with `*`."""

    def __init__(self, patterns: tuple[str, ...] = ()) -> None:
        self._patterns = patterns

    def covers(self, permission: str) -> bool:
        """Return whether a permission is denied."""
        return any(fnmatchcase(permission, pattern) for pattern in self._patterns)

    def check(self, call: Call) -> None:
        """Raise ApiError (PERMISSION_DENIED) if a method is denied."""
        method = call.method.id
        permission = VERTEX.get(method.removeprefix(_VERTEX)) or OBSERVABILITY.get(method, "")
        if permission and self.covers(permission):
            raise DeniedError(permission, next(iter(call.path.values()), ""))


class DeniedError(ApiError):
    """A permission is missing on a resource, by its name without the service."""

    def __init__(self, permission: str, resource: str) -> None:
        domain = f"{permission.partition('.')[0]}.googleapis.com"
        super().__init__(
            Code.PERMISSION_DENIED,
            f"Permission '{permission}' denied on resource '//{domain}/{resource}' (or it may not"
            " exist).",
        )
        self.details = (
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": domain,
                "metadata": {"permission": permission, "resource": resource},
            },
        )
