"""Execution of batch prediction jobs, each with its own model and thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from ....protocols.vertex.predict import DeployedModel
from ....status import Code
from ...background_tasks import either
from ...google.common.errors import ApiError
from ...model_hosting import ModelHosting, Servable
from ...objects.store.errors import NoSuchBucketError
from ...objects.store.store import ObjectStore
from ..artifacts import Artifacts, check_bucket_location, serving_image
from ..explanation.explain import Explainer
from ..explanation.rules import check_signature
from ..images import is_prebuilt
from ..records import Job, Version, failed_precondition
from .answers import Answer, Explained, Predicted, spec_of
from .run import Plan, Run, Totals


class JobRunner:
    """Runs jobs."""

    def __init__(
        self,
        artifacts: Artifacts,
        store: ObjectStore,
        hosting: ModelHosting,
        explainer: Explainer,
        rehearsed: Collection[str] = (),
    ) -> None:
        self._rehearsed = frozenset(rehearsed)
        self._artifacts = artifacts
        self._store = store
        self._hosting = hosting
        self._explainer = explainer

    def check_location(self, uri: str, location: str) -> None:
        """Refuse a bucket in another region than the job's (ApiError)."""
        check_bucket_location(self._store, uri, location)

    def directory(self, job: Job) -> str:
        """Return the output directory of a job as a URI; raises ApiError without the bucket."""
        plan = Plan.of(job.document)
        try:
            self._store.get_bucket(plan.output.bucket)
        except NoSuchBucketError as error:
            text = f"The output's bucket gs://{plan.output.bucket} does not exist."
            raise ApiError(Code.NOT_FOUND, text) from error
        return f"gs://{plan.output.bucket}/{_folder(job, plan)}"

    async def run(self, job: Job, cancelled: asyncio.Event) -> Totals:
        """Predict all instances of a job; raises Stopped if cancelled, or the failure."""
        try:
            await self._load(job.name, job.version)
            with self._hosting.hold(job.name):
                return await self._predict(job, cancelled)
        finally:
            await self._hosting.unload(job.name)

    async def _load(self, name: str, version: Version) -> None:
        if version.image in self._rehearsed:
            text = "Batch prediction by a command in an image's place is not available offline."
            raise failed_precondition(text)
        artifact = version.artifact
        if artifact is None:
            raise failed_precondition(
                "The Model has no artifact_uri. A model that exists only inside its image cannot"
                " run offline."
            )

        image = serving_image(version.image)

        def stage(_: Path) -> list[Servable]:
            return [Servable(name, 1, self._artifacts.saved_model(artifact), image)]

        await self._hosting.load(name, stage)

    async def _predict(self, job: Job, cancelled: asyncio.Event) -> Totals:
        plan = Plan.of(job.document)
        run = Run(self._store, await self._answers(job), plan)
        running = asyncio.ensure_future(asyncio.to_thread(run, _folder(job, plan)))
        try:
            await either(asyncio.shield(running), cancelled.wait())
        finally:
            # A thread cannot be cancelled, and must end before its model is unloaded.
            run.stop()
            await asyncio.gather(running, return_exceptions=True)
        await running
        return run.totals

    async def _answers(self, job: Job) -> Answer:
        """Return what answers a job's instances; raises ApiError for a spec that does not fit."""
        deployed, version = _deployed(job), job.version
        spec = spec_of(job.document, version)
        if not spec or version.artifact is None:
            return Predicted(self._explainer.inference, deployed)
        path = self._artifacts.saved_model(version.artifact)
        if is_prebuilt(version.image):
            await asyncio.to_thread(check_signature, spec, path)
        return Explained(self._explainer, deployed, path, spec)


def _folder(job: Job, plan: Plan) -> str:
    """Return the output directory `prediction-NAME-TIME`, as the service names it."""
    created = job.document["createTime"][:-4]
    time = "".join("_" if char in ":.-" else char for char in created)
    return f"{plan.output.key}prediction-{job.version.display_name}-{time}Z"


def _deployed(job: Job) -> DeployedModel:
    version = job.version
    return DeployedModel(
        servable=job.name,
        id="",
        endpoint_id="",
        model=version.model,
        version_id=version.number,
        display_name=version.display_name,
    )
