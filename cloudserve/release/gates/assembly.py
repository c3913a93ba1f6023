"""The gates of a target, made from its settings."""

from __future__ import annotations

from pathlib import Path

from cloudserve.project import Target
from cloudserve.release.gates.approval import APPROVAL, ApprovalGate
from cloudserve.release.gates.gates import Gates, PlanGate
from cloudserve.release.gates.golden import GOLDEN, GoldenGate
from cloudserve.release.gates.latency import LATENCY, LatencyGate
from cloudserve.release.gates.parity import PARITY, ParityGate
from cloudserve.release.gates.requests import RequestSource
from cloudserve.release.gates.revisions import Revisions
from cloudserve.release.provider import Provider
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.transfer.local import LocalModel


def gates_of(
    target: Target, provider: Provider, models: UploadedModels, local: LocalModel, folder: Path
) -> Gates:
    """Return the gates of one model on a target; `folder` is the project's."""
    settings, layout = target.gates, models.layout
    ledger = Ledger(provider.blobs, layout)
    others: dict[str, PlanGate] = {APPROVAL: ApprovalGate(settings.approval, provider, ledger)}
    revisions = Revisions(provider, layout, local, target.fields)
    if settings.golden is not None:
        file = folder / settings.golden.file.replace("{model}", layout.model)
        others[GOLDEN] = GoldenGate(settings.golden, file, revisions)
    if settings.parity is not None:
        requests = RequestSource(settings.parity.requests, folder, models)
        others[PARITY] = ParityGate(settings.parity, requests, revisions)
    if settings.latency is not None:
        requests = RequestSource(settings.latency.bodies, folder, models)
        others[LATENCY] = LatencyGate(settings.latency, requests, revisions)
    return Gates(provider, models, local, settings, others)
