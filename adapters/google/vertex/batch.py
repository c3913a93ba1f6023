"""Batch prediction jobs of Vertex AI: created, awaited, their failures reported.

Source: BatchPredictionJob in aiplatform v1. A job's own state says how it ended; it is no
long-running operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudserve.errors import RemoteError, UserError
from cloudserve.predict.batch import Batch, BatchResult
from cloudserve.storage.events import Reporter

from ...polling import Poller
from ...urls import check_scheme
from ..errors import container_reason
from .fields.machines import machine_spec
from .fields.options import Options
from .names import Names
from .planning.private_endpoint import encryption
from .snapshot import read_snapshot

if TYPE_CHECKING:
    from ..googleapi import Record
    from .api import VertexApi

SCHEME = "gs"
PREFIX = "JOB_STATE_"
GOOD = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED"})
VERBS = {"FAILED": "failed", "CANCELLED": "was cancelled", "EXPIRED": "expired"}
ENDED = GOOD | VERBS.keys()


def check_urls(batch: Batch) -> None:
    """Raise UserError for files or an output that are not in Cloud Storage."""
    for url in (*batch.inputs, batch.output):
        check_scheme(url, SCHEME)


class Batches:
    """Runs jobs on one target's machines."""

    def __init__(self, api: VertexApi, options: Options, poller: Poller, names: Names) -> None:
        self._api = api
        self._names = names
        self._options = options
        self._poller = poller

    def version_of(self, model: str, revision_id: str) -> str:
        """Return the full name of a revision's model version; raises UserError without one."""
        version = read_snapshot(self._api, self._names, model).version(revision_id)
        if version is None or version.failed:
            target = self._names.own.target
            raise UserError(
                f"{revision_id} has no model version that works",
                where=f"{model} on {target}",
                hint=f"cloudserve deploy {model} --target {target}",
            )
        return self._api.model_name(self._names.model(model), version.number)

    def run(
        self, model: str, version: str, revision_id: str, batch: Batch, reporter: Reporter
    ) -> BatchResult:
        """Run a job with a model version (its full name) and wait for its end."""
        job = self._api.create_job(self._body(model, version, batch))
        name = str(job["name"])
        where = self._api.url(name)
        reporter.line(f"batch prediction job {name} is running")
        states, state = reporter.changes(), ""

        def look() -> Record | None:
            nonlocal state
            job = self._api.job(name)
            state = _state(job).lower().replace("_", " ")
            states.line(f"job: {state}")
            return job if _state(job) in ENDED else None

        try:
            job = self._poller.until(
                look, what=f"job {name}", where=where, reporter=reporter, state=lambda: state
            )
        except (RemoteError, KeyboardInterrupt) as error:
            error.add_note(f"the job continues unless it is cancelled: {name}")
            raise
        return _result(job, revision_id, where)

    def _body(self, model: str, version: str, batch: Batch) -> dict[str, Any]:
        options = self._options
        resources = {
            "machineSpec": machine_spec(options),
            "startingReplicaCount": options.min_replicas,
            "maxReplicaCount": max(options.min_replicas, options.max_replicas),
        }
        body: dict[str, Any] = {
            "displayName": f"cloudserve-{model}",
            "model": version,
            "labels": self._names.labels(model),
            "inputConfig": {
                "instancesFormat": batch.form,
                "gcsSource": {"uris": list(batch.inputs)},
            },
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": batch.output},
            },
            "dedicatedResources": resources,
            **encryption(options),
        }
        if batch.batch_size:
            body["manualBatchTuningParameters"] = {"batchSize": batch.batch_size}
        if options.service_account:
            body["serviceAccount"] = options.service_account
        return body


def _state(job: Record) -> str:
    return str(job.get("state", "")).removeprefix(PREFIX)


def _result(job: Record, revision_id: str, where: str) -> BatchResult:
    output = str(job.get("outputInfo", {}).get("gcsOutputDirectory", ""))
    failures = tuple(
        container_reason(str(failure.get("message", "")))
        for failure in job.get("partialFailures", ())
    )
    if _state(job) not in GOOD:
        reason = str(job.get("error", {}).get("message") or "no reason given").rstrip(".")
        verb = VERBS[_state(job)]
        raise RemoteError(
            "; ".join([f"the job {verb}: {reason}", *failures[:3]]),
            where=where,
            hint=f"its errors are in {output}" if output else None,
            request_id=str(job["name"]),
        )
    stats = job.get("completionStats", {})
    succeeded, failed = (int(stats.get(f"{word}Count", 0)) for word in ("successful", "failed"))
    return BatchResult(str(job["name"]), revision_id, output, succeeded, failed, failures)
