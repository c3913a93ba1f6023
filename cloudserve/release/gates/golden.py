"""The gate *golden*: recorded requests have the recorded answers, or the right labels.

The deployed revision is asked before it has traffic where the platform can be asked so. Otherwise
the local server answers, with the files of the directory or of the bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from cloudserve.errors import UserError
from cloudserve.golden.file import Golden, read_golden
from cloudserve.golden.replay import Replayed, replay
from cloudserve.images.container_images import tensorflow_serving_of
from cloudserve.plural import counted
from cloudserve.project.gate_settings import GoldenSettings
from cloudserve.release.gates.revisions import SCRIPT, Revisions
from cloudserve.release.types import GateStep, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

GOLDEN = "golden"
DEPLOYED = "deployed"
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class GoldenGate:
    """The golden file of one model on one target."""

    settings: GoldenSettings
    file: Path
    """The golden file of the model."""
    revisions: Revisions

    def step(self, plan: Plan, reading: Reading) -> GateStep | None:
        """Return the step of a plan.

        Raises UserError for a golden file that cannot be read, that no version could fail, or with
        requests that the platform has no method for.
        """
        golden = read_golden(self.file)
        self._check_methods(golden)
        self._check_decides(golden)
        why = self.revisions.why_not_deployed(plan, reading)
        server = LOCAL if why else DEPLOYED
        share = reading.deployment.traffic.get(plan.revision.id, 0.0)
        traffic = f"with {share:.0%} of the traffic" if share else "without traffic"
        place = f"in the local server, because {why}" if why else f"on the platform, {traffic}"
        requests = counted(len(golden.examples), "recorded request")
        sentence = f"send {requests} to {plan.revision.id} {place}"
        args = {
            "file": self.settings.file,
            "digest": golden.digest,
            "asked": server,
            "tolerance": dict(self.settings.tolerances),
            "accuracy": self.settings.accuracy,
        }
        return GateStep(GOLDEN, sentence, args)

    def check(self, plan: Plan, step: GateStep) -> Verdict:
        """Send the requests and compare the answers; raises UnreachableError, MissingExtraError."""
        golden = self._golden()
        if step.args["asked"] == DEPLOYED:
            return self._verdict(
                replay(golden, self.revisions.ask(plan.revision.id)), golden, DEPLOYED
            )
        with self.revisions.files(plan) as files:
            if reason := self._why_not_local(files):
                return Verdict(GOLDEN, Ruling.UNCHECKED, reason, {"asked": LOCAL})
            from cloudserve.golden.ask import served_locally

            with served_locally(files) as ask:
                return self._verdict(replay(golden, ask), golden, LOCAL)

    def _check_methods(self, golden: Golden) -> None:
        """Raise UserError for requests that no client can send to a platform's endpoint.

        The local server would answer them, which says nothing about the target.
        """
        methods = sorted({example.method for example in golden.examples} - {""})
        if methods:
            raise UserError(
                f"the golden file has {' and '.join(methods)} requests, and the target's platform "
                "answers only predict requests",
                where=str(self.file),
                hint="record predict requests for the gate; compare the others with `cloudserve "
                "replay FILE --against DIRECTORY`",
            )

    def _check_decides(self, golden: Golden) -> None:
        """Raise UserError if the file has labels alone, and the gate no least accuracy."""
        has_answers = any(each.answer is not None or each.error for each in golden.examples)
        if golden.labels and not has_answers and self.settings.accuracy is None:
            raise UserError(
                "the golden file has labels alone, and the gate has no `accuracy`: it would pass "
                "any version",
                where=str(self.file),
                hint="add the least share of right answers to the gate, such as accuracy: 0.9",
            )

    def _golden(self) -> Golden:
        """Return the file with the target's tolerances in place of its own."""
        golden, bounds = read_golden(self.file), self.settings.tolerances
        if not bounds:
            return golden
        replaced = {name: int(value) if name == "ulp" else value for name, value in bounds.items()}
        tolerance = msgspec.structs.replace(golden.header.tolerance, **replaced)
        header = msgspec.structs.replace(golden.header, tolerance=tolerance)
        return replace(golden, header=header)

    def _why_not_local(self, files: Path) -> str:
        """Return why the local server is not what the target runs; "" if it is."""
        image = self.revisions.fields.get("image")
        if image and tensorflow_serving_of(str(image)) is None:
            return f"the local server cannot stand for the image {image}"
        if (files / SCRIPT).exists():
            return f"the local server does not run the model's {SCRIPT}"
        return ""

    def _verdict(self, result: Replayed, golden: Golden, server: str) -> Verdict:
        least = self.settings.accuracy
        figures = result.figures() | {"asked": server, "least_accuracy": least}
        refusals = [*_differences(result), *_inaccuracy(result, least)]
        ruling = Ruling.REFUSED if refusals else Ruling.PASSED
        sentence = "; ".join(refusals or _passed(result, golden))
        hint = f"compare the answers: cloudserve replay {self.settings.file} --against …"
        return Verdict(
            GOLDEN, ruling, sentence, figures, result.findings, hint=hint if refusals else ""
        )


def _differences(result: Replayed) -> list[str]:
    if not result.differing:
        return []
    first = result.findings[0]
    are = "request has" if result.differing == 1 else "requests have"
    return [f"{result.differing} of {result.requests} {are} another answer: {first}"]


def _inaccuracy(result: Replayed, least: float | None) -> list[str]:
    if least is None or (result.accuracy is not None and result.accuracy >= least):
        return []
    if result.accuracy is None:
        return ["the golden file has no labels to measure the accuracy with"]
    return [f"{_accuracy(result)}, and at least {least:.1%} are required"]


def _passed(result: Replayed, golden: Golden) -> list[str]:
    examples = golden.examples
    recorded = sum(each.answer is not None or each.error is not None for each in examples)
    parts = []
    if recorded:
        parts.append(
            f"{recorded} of {counted(recorded, 'answer')} as recorded, up to {result.ulp:,.0f} ULP"
        )
    if result.labels:
        parts.append(_accuracy(result))
    return parts


def _accuracy(result: Replayed) -> str:
    share = (
        f"{result.right:,} of {counted(result.labels, 'labelled instance')} ({result.accuracy:.1%})"
    )
    return f"{share} are right"
