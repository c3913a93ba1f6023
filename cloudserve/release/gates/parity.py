"""The gate *parity*: the local server and the deployed revision answer alike.

Its figures are a certificate: they name the digest of the model, what serves it on the platform and
locally, the digest of the requests, and the largest difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cloudserve._version import __version__
from cloudserve.golden.file import Tolerance
from cloudserve.golden.parity import Parity, compare_servers
from cloudserve.plural import counted
from cloudserve.project.gate_settings import ParitySettings
from cloudserve.release.gates.requests import GateRequests, RequestSource
from cloudserve.release.gates.revisions import SCRIPT, Revisions
from cloudserve.release.types import GateStep, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

PARITY = "parity"
_USUAL = {"absolute": 1e-6, "relative": 1e-6}
"""The bounds without settings: those of TensorFlow's `tf.test.TestCase.assertAllClose`."""
_UNASKED = "turn the gate off for this target"


@dataclass(frozen=True, slots=True)
class ParityGate:
    """The comparison of one model on one target with the local server."""

    settings: ParitySettings
    requests: RequestSource
    revisions: Revisions

    def step(self, plan: Plan, reading: Reading) -> GateStep | None:
        """Return the step of a plan that gives the revision its first traffic, else None.

        Raises UserError if there are no requests.
        """
        if not self.revisions.is_new(plan, reading):
            return None
        requests = self.requests.read(PARITY, plan.revision)
        why = self.revisions.why_not_deployed(plan, reading)
        sentence = f"send {requests.source} to {plan.revision.id} on the platform and locally"
        args = {
            "requests": len(requests.bodies),
            "payloads": requests.digest,
            "unasked": why,
            "tolerance": dict(self._bounds),
        }
        return GateStep(PARITY, sentence, args)

    def check(self, plan: Plan, step: GateStep) -> Verdict:
        """Send the requests to both and compare; raises UnreachableError, MissingExtraError."""
        if why := step.args["unasked"]:
            sentence = f"the answers cannot be compared with local ones: {why}"
            return Verdict(PARITY, Ruling.REFUSED, sentence, dict(step.args), hint=_UNASKED)
        from cloudserve.golden.ask import served_locally

        requests = self.requests.read(PARITY, plan.revision)
        figures = self._certificate(plan, requests)
        with self.revisions.files(plan) as files:
            if (files / SCRIPT).exists():
                sentence = f"the local server does not run the model's {SCRIPT}"
                return Verdict(PARITY, Ruling.UNCHECKED, sentence, figures)
            with served_locally(files) as local:
                deployed = self.revisions.ask(plan.revision.id)
                parity = compare_servers(
                    requests.bodies, local, deployed, requests.signatures, self._tolerance()
                )
        return _verdict(parity, figures | parity.figures())

    @property
    def _bounds(self) -> dict[str, float]:
        return dict(self.settings.tolerances) or _USUAL

    def _tolerance(self) -> Tolerance:
        bounds = self._bounds
        return Tolerance(
            bounds.get("absolute", 0.0), bounds.get("relative", 0.0), int(bounds.get("ulp", 0))
        )

    def _certificate(self, plan: Plan, requests: GateRequests) -> dict[str, Any]:
        return {
            "digest": plan.revision.digest,
            "image": self.revisions.server_of(plan.revision) or None,
            "local": _local_server(),
            "payloads": requests.digest,
            "source": requests.source,
            "tolerance": self._bounds,
        }


def _verdict(parity: Parity, figures: dict[str, Any]) -> Verdict:
    requests = counted(parity.requests, "request")
    if parity.differing:
        first = parity.findings[0]
        are = "is" if parity.differing == 1 else "are"
        sentence = f"{parity.differing} of {requests} {are} answered differently: "
        sentence += first
        hint = "compare the images and versions of TensorFlow in the figures; or allow a tolerance"
        return Verdict(PARITY, Ruling.REFUSED, sentence, figures, parity.findings, hint=hint)
    if not parity.answered:
        sentence = f"both servers refuse all of {requests}, which proves nothing"
        hint = "name a golden file with requests that the model answers: parity: file: FILE"
        return Verdict(PARITY, Ruling.REFUSED, sentence, figures, hint=hint)
    refused = f", {parity.refused} refused alike" if parity.refused else ""
    are = "is" if parity.answered == 1 else "are"
    sentence = f"{parity.answered} of {requests} {are} answered as locally{refused}; "
    sentence += f"numbers differ by up to {parity.ulp:,.0f} ULP"
    return Verdict(PARITY, Ruling.PASSED, sentence, figures)


def _local_server() -> str:
    try:
        return f"cloudserve {__version__}, TensorFlow {version('tensorflow')}"
    except PackageNotFoundError:
        return f"cloudserve {__version__}"
