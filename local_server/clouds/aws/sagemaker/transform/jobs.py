"""Batch transform jobs: a temporary container, invoked with the objects of a prefix.

An output object is written atomically once every record of its input is answered. After a restart
an unfinished job starts again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from cloudserve.errors import ModelError

from ....background_tasks import BackgroundTasks, either
from ....latency import Latency, Step
from ....model_hosting import reason
from ....objects.store.errors import NoSuchBucketError
from ....objects.store.types import ObjectInfo
from ....resources import Document, Record
from ...logs.streams import ContainerLogs
from ...protocol.arns import DEFAULT_REGION
from ...protocol.errors import AwsError, invalid
from ..containers.pool import ContainerPool, Terms
from ..containers.several import Served
from ..instances import check_job_instances, check_machine
from ..models import check_no_source
from ..multi_container import only_container
from ..records import MODEL, TRANSFORM, Records
from ..s3_files import S3Files, below, split_uri
from .data_processing import check_processing
from .invocations import invoke
from .records import Payload, assemble, decompress, payloads

logger = logging.getLogger(__name__)

_KEPT = (
    "ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy",
    "Environment", "TransformInput", "TransformOutput", "TransformResources", "DataProcessing",
    "ExperimentConfig",
)  # fmt: skip
_LISTED = (
    "TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "LastModifiedTime",
    "TransformJobStatus", "FailureReason",
)  # fmt: skip
_MEGABYTE = 1024 * 1024
_DEFAULT_PAYLOAD_MB = 6
_MOST_MEGABYTES = 100
_PURPOSE = "for a transform job offline"
_SPLITS = {"None", "Line", "TFRecord"}


class TransformJob(Record, frozen=True):
    """A transform job, with its model's container and region at the time of its creation."""

    container: Document
    region: str = DEFAULT_REGION
    """Data folders of older versions do not have it."""
    isolated: bool = False
    """Whether its model has EnableNetworkIsolation."""

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return str(self.document["TransformJobArn"])

    @property
    def status(self) -> str:
        """Return its TransformJobStatus."""
        return str(self.document["TransformJobStatus"])


class TransformJobs:
    """The operations of transform jobs and the background work that they start."""

    def __init__(
        self,
        records: Records,
        pool: ContainerPool,
        files: S3Files,
        work: BackgroundTasks,
        latency: Latency,
        logs: ContainerLogs,
    ) -> None:
        self._records = records
        self._pool = pool
        self._files = files
        self._work = work
        self._latency = latency
        self._logs = logs
        self._stops: dict[str, asyncio.Event] = {}

    def create(self, region: str, body: Document) -> Document:
        """Start a job; raises AwsError for an invalid or unsupported one."""
        self._check(region, body)
        document = {key: body[key] for key in _KEPT if key in body}
        now = self._records.now()
        document |= {"TransformJobStatus": "InProgress", "TransformStartTime": now}
        model = self._records.stored(MODEL, region, body["ModelName"])
        isolated = bool(model.get("EnableNetworkIsolation"))
        job = TransformJob(
            document=document,
            container=only_container(model, _PURPOSE),
            region=region,
            isolated=isolated,
        )
        name = body["TransformJobName"]
        self._check_name_is_free(region, name)
        arn = self._records.create(TRANSFORM, region, name, job.stored(), body.get("Tags", []))
        self._start(region, name)
        return {"TransformJobArn": arn}

    def _check(self, region: str, body: Document) -> None:
        if "DataCaptureConfig" in body:
            raise invalid("DataCaptureConfig of a transform job is not available offline.")
        source = body["TransformInput"]["DataSource"]["S3DataSource"]
        if source["S3DataType"] != "S3Prefix":
            raise invalid(f"S3DataType {source['S3DataType']} is not available offline.")
        split = body["TransformInput"].get("SplitType", "None")
        if split not in _SPLITS:
            raise invalid(f"SplitType {split} is not available offline.")
        if "BatchStrategy" in body and split == "None":
            # "To enable the batch strategy, you must set the SplitType property" (its description).
            raise invalid("BatchStrategy needs a SplitType of Line, RecordIO or TFRecord.")
        check_processing(body)
        concurrency = max(body.get("MaxConcurrentTransforms", 1), 1)
        if body.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB) * concurrency > _MOST_MEGABYTES:
            raise invalid(
                f"MaxPayloadInMB times MaxConcurrentTransforms must not exceed {_MOST_MEGABYTES}."
            )
        check_job_instances(body["TransformResources"])
        self._check_model(region, body["ModelName"])
        for uri in (source["S3Uri"], body["TransformOutput"]["S3OutputPath"]):
            if not self._files.has_bucket(uri):
                raise invalid(f"The bucket of {uri} does not exist.")

    def _check_name_is_free(self, region: str, name: str) -> None:
        """Raise AwsError for the name of an earlier job, which no call deletes.

        The code is botocore's; the text is that of training jobs, with the other noun.
        """
        existing = self._records.find(TRANSFORM, region, name)
        if existing is not None:
            raise AwsError(
                "ResourceInUse",
                "Transform job names must be unique within an AWS account and region, and a"
                " transform job with this name already exists"
                f" ({TransformJob.read(existing).arn})",
            )

    def _check_model(self, region: str, name: str) -> None:
        container = only_container(self._records.stored(MODEL, region, name), _PURPOSE)
        if container.get("Mode") == "MultiModel":
            raise invalid("A multi-model container cannot be used for a transform job.")
        check_no_source(container, "batch transform")

    def describe(self, region: str, body: Document) -> Document:
        """Return a job."""
        return self._records.get(TRANSFORM, region, body["TransformJobName"])

    def list(self, region: str, body: Document) -> Document:
        """Return a page of jobs."""
        return self._records.page(TRANSFORM, region, body, _LISTED)

    def stop(self, region: str, body: Document) -> None:
        """Stop a job after the requests in progress; raises AwsError if it has ended."""
        name = body["TransformJobName"]
        job = self._read(region, name)
        if job.status != "InProgress":
            raise invalid(f"The transform job {name} is {job.status}: it cannot be stopped.")
        self._settle(region, name, "Stopping")
        self._stops[job.arn].set()

    def _read(self, region: str, name: str) -> TransformJob:
        return TransformJob.read(self._records.stored(TRANSFORM, region, name))

    def restore(self) -> None:
        """Restart the jobs that an earlier process left unfinished."""
        for key, stored in self._records.resources.list(TRANSFORM.table):
            region, _, name = key.partition("/")
            status = TransformJob.read(stored).status
            if status == "Stopping":
                self._settle(region, name, "Stopped")
            elif status == "InProgress":
                self._start(region, name)

    def _start(self, region: str, name: str) -> None:
        arn = self._read(region, name).arn
        self._stops[arn] = asyncio.Event()
        self._work.start(arn, self._run(region, name, arn))

    async def _run(self, region: str, name: str, arn: str) -> None:
        job = self._read(region, name)
        try:
            is_complete = await self._transform(job, self._stops[arn])
        except Exception as error:  # noqa: BLE001 any error fails the job
            logger.warning("transform job %s failed: %s", name, error)
            self._settle(region, name, "Failed", FailureReason=reason(error)[:1024])
        else:
            self._settle(region, name, "Completed" if is_complete else "Stopped")
        del self._stops[arn]

    def _settle(self, region: str, name: str, status: str, **more: str) -> None:
        job = self._read(region, name)
        now = self._records.now()
        ended = {} if status == "Stopping" else {"TransformEndTime": now}
        changes = {"TransformJobStatus": status, "LastModifiedTime": now, **ended, **more}
        self._records.put(TRANSFORM, region, job.having(job.document | changes).stored())

    async def _transform(self, job: TransformJob, stop: asyncio.Event) -> bool:
        """Process every object; return False if the job was stopped before the end."""
        settings = job.document
        source = settings["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split_uri(source)
        objects = await asyncio.to_thread(self._objects, bucket, prefix)
        if not objects:
            raise ModelError(f"No objects found at {source}.")
        await either(self._latency.pass_by(Step.BATCH), stop.wait())
        if stop.is_set():
            return False
        check_machine(job.container["Image"], settings["TransformResources"]["InstanceType"])
        environment = settings.get("Environment", {}) | {"SAGEMAKER_BATCH": "true"}
        write = self._logs.of_transform(job.region, job.arn.rpartition("/")[2])
        terms = Terms(write, isolated=job.isolated)
        async with self._pool.temporary(job.container, job.region, terms, **environment) as run:
            for info in objects:
                if stop.is_set():
                    return False
                content = await self._answer_object(run.container, settings, info)
                name = info.key.removeprefix(prefix).lstrip("/") or info.key.rpartition("/")[2]
                uri = below(settings["TransformOutput"]["S3OutputPath"], f"{name}.out")
                kind = settings["TransformOutput"].get("Accept", "application/json")
                await self._files.write(uri, content, kind)
        return True

    def _objects(self, bucket: str, prefix: str) -> Sequence[ObjectInfo]:
        try:
            objects = list(self._files.store.walk(bucket, prefix))
        except NoSuchBucketError:
            return []
        return [info for info in objects if not info.is_folder]

    async def _answer_object(
        self, container: Served, job: Mapping[str, Any], info: ObjectInfo
    ) -> bytes:
        transform_input = job["TransformInput"]
        content = await asyncio.to_thread(self._files.store.path(info).read_bytes)
        plain = decompress(content, transform_input.get("CompressionType", "None"))
        limit = job.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB) * _MEGABYTE
        many = job.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        slots = asyncio.Semaphore(max(job.get("MaxConcurrentTransforms", 1), 1))

        async def answer(payload: Payload) -> bytes:
            async with slots:
                return await invoke(container, job, payload, info.key)

        split = transform_input.get("SplitType", "None")
        pending = [
            answer(payload) for payload in payloads(plain, split, limit or len(plain), many=many)
        ]
        answers = await asyncio.gather(*pending)
        return assemble(answers, job["TransformOutput"].get("AssembleWith", "None"))
