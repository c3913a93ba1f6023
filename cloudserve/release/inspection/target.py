"""The drift of one model on one target, from its platform, ledger and project file."""

from __future__ import annotations

from cloudserve.release.inspection.drift import DriftReport, find_drifts
from cloudserve.release.provider import InspectingProvider, Provider
from cloudserve.release.state.ledger import Ledger

NOT_COMPARED = "the target's adapter does not report settings: they are not compared"


def inspect_drift(provider: Provider, model: str, target: str, ledger: Ledger) -> DriftReport:
    """Return what the three sources say differently; changes nothing."""
    reading = provider.read(model)
    is_complete = isinstance(provider, InspectingProvider)
    settings = provider.settings(reading) if isinstance(provider, InspectingProvider) else ()
    drifts = find_drifts(reading.deployment, ledger.releases(), settings)
    return DriftReport(model, target, tuple(drifts), () if is_complete else (NOT_COMPARED,))
