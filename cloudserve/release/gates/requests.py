"""The requests that gates send: those of a golden file, or made up from the signatures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.golden.file import read_golden
from cloudserve.golden.generate import generate
from cloudserve.golden.parity import digest_of
from cloudserve.plural import counted
from cloudserve.project.gate_settings import RequestSettings
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.types import Revision
from cloudserve.savedmodel.signature import Signature


@dataclass(frozen=True, slots=True)
class GateRequests:
    """The requests of one gate for a revision."""

    bodies: tuple[dict[str, Any], ...]
    signatures: tuple[Signature, ...]
    """Those of the revision."""
    source: str
    """What they are, such as `20 generated requests (seed 0)`."""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the requests as they are sent."""
        return digest_of(self.bodies)


@dataclass(frozen=True, slots=True)
class RequestSource:
    """Makes or reads the requests of one gate."""

    settings: RequestSettings
    folder: Path
    """The project's."""
    models: UploadedModels

    def read(self, gate: str, revision: Revision) -> GateRequests:
        """Return the requests for an uploaded revision.

        Raises UserError for a golden file that cannot be read or has no predict requests, and for
        signatures that no request can be made up for.
        """
        signatures = self.models.interface(revision).signatures
        settings, model = self.settings, self.models.layout.model
        if settings.file:
            golden = read_golden(self.folder / settings.file.replace("{model}", model))
            bodies = golden.requests
            if not bodies:
                raise UserError(
                    f"the gate `{gate}` has no predict requests to send: all of the file are of "
                    "another method, or were recorded as refused",
                    where=settings.file,
                    hint="record predict requests with `cloudserve golden record`",
                )
            return GateRequests(
                bodies, signatures, f"{counted(len(bodies), 'request')} of {settings.file}"
            )
        bodies = tuple(generate(signatures, settings.requests, settings.seed))
        if not bodies:
            raise UserError(
                f"the gate `{gate}` cannot make up requests for the signatures of {revision.id}",
                where=f"{model} on {self.models.layout.target}",
                hint=f"record some with `cloudserve golden record`; gates: {gate}: file: FILE",
            )
        source = f"{counted(len(bodies), 'generated request')} (seed {settings.seed})"
        return GateRequests(bodies, signatures, source)
