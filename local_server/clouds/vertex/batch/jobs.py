"""Batch prediction jobs, which run in the background.

A job that a killed emulator left is restarted; its output is overwritten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ....status import Code, StatusError
from ...background_tasks import BackgroundTasks, either
from ...google.common.discovery import snake
from ...google.common.errors import ApiError
from ...latency import Latency, Step
from ...model_hosting import reason
from ...resources import Document
from ..deployment.machines import check_machine
from ..listing import EQUALITY, MAP, TEXT, TIME, Listing
from ..operations import EMPTY, Operations, Outcome, Runner, Task
from ..records import JOB, Job, Records, Version, failed_precondition, invalid, new_id
from ..validation import (
    check_display_name,
    check_encryption,
    check_labels,
    check_service_account,
)
from .answers import check_explanation
from .run import Plan, Stopped, Totals
from .runner import JobRunner

logger = logging.getLogger(__name__)

_LISTED = Listing(
    "batchPredictionJobs",
    {
        "displayName": TEXT,
        "modelDisplayName": EQUALITY,
        "state": EQUALITY,
        "createTime": TIME,
        "labels": MAP,
    },
)
_ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}
_NOT_OFFLINE = ("unmanagedContainerModel",)
_ATTEMPTED = "All attempted instances failed: see prediction.errors_stats in the output."


_MOST_REPLICAS = 10
"""The default of BatchDedicatedResources.maxReplicaCount."""


class _Delete(Task, frozen=True, tag="delete-job"):
    name: str


class Jobs:
    """The methods of `projects.locations.batchPredictionJobs`."""

    def __init__(
        self,
        records: Records,
        operations: Operations,
        runner: JobRunner,
        work: BackgroundTasks,
        latency: Latency,
    ) -> None:
        self._records = records
        self._operations = operations
        self._runner = runner
        self._work = work
        self._latency = latency
        self._cancelled: dict[str, asyncio.Event] = {}
        metadata = "DeleteOperationMetadata"
        operations.register(Runner(_Delete, metadata, Step.DELETE, self._delete))

    def restore(self) -> None:
        """Restart the unfinished jobs of an earlier process."""
        for job in self._records.jobs():
            if job.state not in _ENDED:
                self._start(job.name)
                if job.state == "JOB_STATE_CANCELLING":
                    self._cancelled[job.name].set()

    def create(self, parent: str, body: Document) -> Document:
        """Start a job and return it."""
        version = self._checked(parent, body)
        name, now = f"{parent}/batchPredictionJobs/{new_id()}", self._records.now()
        document: Document = {
            **body,
            "name": name,
            "modelVersionId": version.number,
            "state": "JOB_STATE_PENDING",
            "createTime": now,
            "updateTime": now,
        }
        self._records.put_job(Job(document=document, stored_version=version.stored()))
        self._start(name)
        return document

    def _checked(self, parent: str, body: Document) -> Version:
        """Return the version that a job predicts with; raises ApiError for an invalid job."""
        check_display_name(body, "batch_prediction_job")
        check_labels(body)
        _check_offline(body)
        _check_service(body, parent)
        if not body.get("model"):
            raise invalid("The field `batch_prediction_job.model` is required.")
        _, separator, location = parent.partition("/locations/")
        if f"{separator}{location}/" not in body["model"]:
            raise invalid(f"The model `{body['model']}` is not in the job's location {location}.")
        version = self._records.version(body["model"])
        check_explanation(body, version)
        plan = Plan.of(body)
        for uri in (*plan.uris, f"gs://{plan.output.bucket}/"):
            self._runner.check_location(uri, location)
        if not body.get("dedicatedResources"):
            raise invalid(
                "The Model does not support automatic resources: set dedicated_resources."
            )
        _check_machines(body["dedicatedResources"])
        return version

    def _start(self, name: str) -> None:
        self._cancelled[name] = asyncio.Event()
        self._work.start(name, self._perform(name))

    async def _perform(self, name: str) -> None:
        cancelled = self._cancelled[name]
        try:
            await self._pause(cancelled)
            directory = self._runner.directory(self._records.job(name))
            changes = {"state": "JOB_STATE_RUNNING", "startTime": self._records.now()}
            self._change(name, changes | {"outputInfo": {"gcsOutputDirectory": directory}})
            self._settle(name, await self._runner.run(self._records.job(name), cancelled))
        except Stopped:
            error = {"code": int(Code.CANCELLED), "message": "The job was cancelled."}
            self._change(name, {"state": "JOB_STATE_CANCELLED", "error": error}, ended=True)
        except Exception as error:  # noqa: BLE001 - any failure makes the job FAILED
            logger.warning("%s failed: %s", name, error)
            code = error.code if isinstance(error, StatusError) else Code.FAILED_PRECONDITION
            status = {"code": int(code), "message": reason(error)}
            self._change(name, {"state": "JOB_STATE_FAILED", "error": status}, ended=True)
        finally:
            del self._cancelled[name]

    async def _pause(self, cancelled: asyncio.Event) -> None:
        seconds = self._latency.seconds(Step.BATCH)
        if seconds:
            await either(self._latency.clock.sleep(seconds), cancelled.wait())
        if cancelled.is_set():
            raise Stopped

    def _settle(self, name: str, totals: Totals) -> None:
        stats = {"successfulCount": str(totals.succeeded), "failedCount": str(totals.failed)}
        changes: Document = {"state": "JOB_STATE_SUCCEEDED", "completionStats": stats}
        if totals.failures:
            changes["partialFailures"] = totals.failures
        if totals.failed and not totals.succeeded:
            error = {"code": totals.failures[0]["code"], "message": _ATTEMPTED}
            changes |= {"state": "JOB_STATE_FAILED", "error": error}
        self._change(name, changes, ended=True)

    def _change(self, name: str, changes: Mapping[str, Any], *, ended: bool = False) -> None:
        now, job = self._records.now(), self._records.job(name)
        times = {"updateTime": now} | ({"endTime": now} if ended else {})
        self._records.put_job(job.having(job.document | dict(changes) | times))

    def get(self, name: str) -> Document:
        """Return a job."""
        return self._records.job(name).document

    def list(self, parent: str, query: Mapping[str, Any]) -> Document:
        """Return a page of a location's jobs, newest first."""
        jobs = self._records.jobs(parent)
        items = [(job.name, job.document) for job in jobs]
        items.sort(key=lambda item: item[1]["createTime"], reverse=True)
        names = {job.name: {"modelDisplayName": job.version.display_name} for job in jobs}
        return _LISTED.answer(items, query, names)

    def cancel(self, name: str) -> Document:
        """Cancel a job: it becomes CANCELLING, then CANCELLED. A finished job does not change."""
        if self._records.job(name).state not in _ENDED:
            self._change(name, {"state": "JOB_STATE_CANCELLING"})
            self._cancelled[name].set()
        return {}

    def delete(self, name: str) -> Document:
        """Start deleting a job, which must be finished."""
        if self._records.job(name).state not in _ENDED:
            raise failed_precondition(
                f"BatchPredictionJob `{name}` has not ended; cancel it first."
            )
        parent = name.partition("/batchPredictionJobs/")[0]
        return self._operations.begin(parent, _Delete(name), name)

    async def _delete(self, task: _Delete) -> Outcome:
        def finish() -> Mapping[str, Any]:
            self._records.resources.delete(JOB, task.name)
            return EMPTY

        return Outcome(finish)


def _check_offline(job: Mapping[str, Any]) -> None:
    for field in _NOT_OFFLINE:
        if job.get(field):
            text = f"batch_prediction_job.{snake(field)} is not available offline."
            raise ApiError(Code.UNIMPLEMENTED, text)


def _check_service(job: Mapping[str, Any], parent: str) -> None:
    """Refuse a service account or key that a job cannot have (ApiError)."""
    check_service_account(job.get("serviceAccount", ""), "batch_prediction_job.service_account")
    check_encryption(job, parent)


def _check_machines(machines: Mapping[str, Any]) -> None:
    """Refuse machines that a job cannot have (ApiError).

    Source: aiplatform v1, `BatchDedicatedResources.startingReplicaCount`: the number that Vertex AI
    chooses is "not greater than max_replica_count". That a given one may not be either is our
    reading.
    """
    check_machine(machines.get("machineSpec", {}))
    most = machines.get("maxReplicaCount", 0) or _MOST_REPLICAS
    first = machines.get("startingReplicaCount", 0)
    if first < 0 or most < max(first, 1):
        raise invalid(
            f"The field `starting_replica_count` is {first}; it must not be greater than"
            f" max_replica_count, which is {most}."
        )
