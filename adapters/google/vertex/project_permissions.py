"""The permissions that the caller has in a project, from Cloud Resource Manager."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..credentials import Access
from .beside import BesideVertex


class ProjectPermissions(BesideVertex):
    """Asks which permissions the caller has; this needs no permission."""

    def __init__(
        self, endpoint: str, beside: str, project: str, region: str, access: Access
    ) -> None:
        place = ("cloudresourcemanager", "v3")
        super().__init__(place, endpoint, beside, project, region, access)

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return those permissions that the caller does not have in the project."""
        self._check_place()
        projects: Any = self._service.projects()
        resource = f"projects/{self._project}"
        request = projects.testIamPermissions(resource=resource, body={"permissions": list(names)})
        where = f"{self._endpoint}/v3/{resource}:testIamPermissions"
        held = self._execute(request, "read the permissions", where).get("permissions", ())
        return tuple(name for name in names if name not in held)
