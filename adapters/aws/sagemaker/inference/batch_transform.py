"""Batch transform: a job for each file, waited for, its answers counted.

Source: SageMaker API reference, `CreateTransformJob`; developer guide, "Use batch transform". A job
writes `FILE.out` once it has answered all of a file, so a job that fails has no answers.
"""

from __future__ import annotations

import difflib
import logging
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from cloudserve.errors import RemoteError, UserError
from cloudserve.predict.batch import Batch, BatchResult
from cloudserve.storage.events import Reporter

from ....urls import check_scheme
from ...error_hints import for_reason
from ...errors import is_denied
from ..context import AwsContext
from ..fields.options import Options
from ..images import LOCAL_STORAGE, tensorflow_of
from ..model_files.inference_script import SCRIPT
from ..records import NAME_LIMIT, source_of
from .record_lines import check_lines

logger = logging.getLogger(__name__)

SCHEME = "s3"
TYPES = {"jsonl": "application/jsonlines", "csv": "text/csv"}
ONE_BY_ONE = 1
DIGITS = 12
COMPLETED = "Completed"
VERBS = {"Failed": "failed", "Stopped": "was stopped"}
ENDED = VERBS.keys() | {COMPLETED}


class Transforms:
    """Runs jobs on one target's machines."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def check(self, model: str, revision_id: str, batch: Batch) -> None:
        """Raise UserError for a job that SageMaker would refuse or could not do.

        Such as a format that its container does not read, an instance type without batch
        transform, or a model that is not of an archive.
        """
        _check_form(batch)
        _check_urls(batch)
        self._check_instances()
        self._check_key()
        name = self._aws.model_name(model, revision_id)
        self._aws.owned.check_name(model, name)
        record = self._aws.api.model(name) or {}
        self._check_source(name, record)
        self._check_files(record, batch)
        for url in batch.inputs:
            self._check_alone(url)

    def run(self, model: str, revision_id: str, batch: Batch, reporter: Reporter) -> BatchResult:
        """Run a job a file, one after the other; the first that fails is the last.

        Raises UserError for what `check` refuses.
        """
        self.check(model, revision_id, batch)
        base, name = self._aws.names.endpoint(model), self._aws.model_name(model, revision_id)
        run = base[: NAME_LIMIT - DIGITS - 5] + f"-{uuid.uuid4().hex[:DIGITS]}"
        output = f"{batch.output.rstrip('/')}/{run}"
        jobs = [f"{run}-{number}" for number in range(len(batch.inputs))]
        succeeded = 0
        for job, url in zip(jobs, batch.inputs, strict=True):
            self._start(job, model, name, batch, url, output)
            reporter.line(f"transform job {job} answers {url}")
            self._wait(job, batch, reporter)
            succeeded += self._count(f"{output}/{url.rpartition('/')[2]}.out")
        return BatchResult(", ".join(jobs), revision_id, output, succeeded, 0)

    def _check_instances(self) -> None:
        """Refuse an instance type that endpoints have and jobs have not (TransformInstanceType)."""
        kind, known = self._aws.options.instance_type, self._aws.api.job_instance_types()
        if kind not in known:
            close = difflib.get_close_matches(kind, known, n=1)
            raise UserError(
                f"SageMaker's batch transform does not run on `{kind}`",
                where=self._aws.where_of("instance_type"),
                hint="give the job a target of its own with `instance_type: "
                f"{close[0] if close else 'ml.m5.large'}`",
            )

    def _check_key(self) -> None:
        """Refuse a key for disks that have none (API reference, TransformResources).

        "You can't request a VolumeKmsKeyId when using an instance type with local storage."
        """
        options = self._aws.options
        if options.kms_key and LOCAL_STORAGE.match(options.instance_type):
            raise UserError(
                f"SageMaker's batch transform takes no `kms_key` for {options.instance_type}, whose"
                " disks the instance encrypts",
                where=self._aws.where_of("kms_key"),
                hint="give the job a target of its own without `kms_key`, or with another"
                " `instance_type`, such as ml.m5.large",
            )

    def _check_alone(self, url: str) -> None:
        """Refuse a file whose URL other objects begin with: a job would read and answer them too.

        Source: API reference, `TransformS3DataSource`: S3Uri "identifies a key name prefix".
        """
        try:
            found = self._aws.api.objects.beginning_with(url)
        except RemoteError as error:
            if not is_denied(error):
                raise
            logger.warning("what else begins with %s is not known: %s", url, error.message)
            return
        others = [other for other in found if other != url]
        if others:
            raise UserError(
                f"a job for `{url}` would also read `{others[0]}`: SageMaker takes a URL for a"
                " prefix",
                hint="name each object with --input, and give it a name that no other object's "
                "begins with; or give a local file",
            )

    def _check_source(self, name: str, record: Mapping[str, Any]) -> None:
        """Refuse what jobs do not read (API reference, `ContainerDefinition.ModelDataSource`)."""
        source = source_of(record)
        if source.endswith("/"):
            raise UserError(
                "SageMaker's jobs read a `model.tar.gz`, and this model's files are not packed",
                where=f"{name}: {source}",
                hint="add `archive: true` to the target and deploy the version again: that makes "
                "one in the bucket",
            )

    def _check_files(self, record: Mapping[str, Any], batch: Batch) -> None:
        """Refuse lines that AWS's container does not join; a script or another image may."""
        if batch.form != "jsonl" or batch.batch_size == ONE_BY_ONE:
            return
        image = str(record.get("PrimaryContainer", {}).get("Image", ""))
        if tensorflow_of(image) and not self._has_script(source_of(record)):
            check_lines(batch.files)

    def _has_script(self, source: str) -> bool:
        folder = source.removeprefix(f"{self._aws.blobs.url}/").rpartition("/")[0]
        keys = (blob.key for blob in self._aws.blobs.list(f"{folder}/"))
        return any(key.endswith(f"/code/{SCRIPT}") for key in keys)

    def _start(self, job: str, model: str, name: str, batch: Batch, url: str, output: str) -> None:
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": url}}
        alone = batch.batch_size == ONE_BY_ONE
        self._aws.api.change(
            f"create the transform job {job}",
            "create_transform_job",
            TransformJobName=job,
            ModelName=name,
            BatchStrategy="SingleRecord" if alone else "MultiRecord",
            TransformInput={
                "DataSource": source,
                "ContentType": TYPES[batch.form],
                "SplitType": "Line",
            },
            TransformOutput={
                "S3OutputPath": output,
                "Accept": "application/json",
                "AssembleWith": "Line",
            },
            TransformResources=_resources(self._aws.options),
            Tags=self._aws.owned.tags(model),
        )

    def _wait(self, job: str, batch: Batch, reporter: Reporter) -> None:
        statuses, status = reporter.changes(), ""

        def look() -> Mapping[str, Any] | None:
            nonlocal status
            description = self._aws.api.transform_job(job)
            status = description.get("TransformJobStatus", "")
            statuses.line(f"transform job {job}: {status}")
            return description if status in ENDED else None

        where = f"{self._aws.api.where}, transform job {job}"
        try:
            ended = self._aws.poller.until(
                look, what=f"job {job}", where=where, reporter=reporter, state=lambda: status
            )
        except (RemoteError, KeyboardInterrupt) as error:
            error.add_note(f"the job continues unless it is stopped: {job}")
            raise
        status = ended["TransformJobStatus"]
        if status != COMPLETED:
            reason = str(ended.get("FailureReason") or "no reason given")
            raise RemoteError(
                f"the transform job {VERBS[status]}: {reason}",
                where=where,
                hint=for_reason(reason) or _hint(batch),
            )

    def _count(self, url: str) -> int:
        """Return how many instances an output file has answers for."""
        return sum(_answers(line) for line in self._aws.api.objects.lines(url))


def _hint(batch: Batch) -> str:
    log = "its log is in /aws/sagemaker/TransformJobs"
    if batch.form != "jsonl" or batch.batch_size == ONE_BY_ONE:
        return log
    # The container joins the lines of a request as they are.
    return f"lines that are not objects or lists need `--batch-size 1`; {log}"


def _resources(options: Options) -> dict[str, Any]:
    """Return the machines of a job; the target's key encrypts their volumes, too."""
    key = {"VolumeKmsKeyId": options.kms_key} if options.kms_key else {}
    return {"InstanceType": options.instance_type, "InstanceCount": 1, **key}


def _check_urls(batch: Batch) -> None:
    """Refuse URLs of another storage, and files whose answers would have the same key."""
    for url in (*batch.inputs, batch.output):
        check_scheme(url, SCHEME)
    names: set[str] = set()
    for url in batch.inputs:
        name = url.rpartition("/")[2]
        if name in names:
            raise UserError(
                f"two files are named `{name}`, and SageMaker writes the answers of both to "
                f"`{name}.out`",
                hint="rename one of them, or run two jobs",
            )
        names.add(name)


def _check_form(batch: Batch) -> None:
    if batch.form not in TYPES:
        raise UserError(
            f"SageMaker's TensorFlow container does not read {batch.form}",
            hint=f"choose {' or '.join(TYPES)}",
        )
    if batch.batch_size > ONE_BY_ONE:
        raise UserError(
            "SageMaker packs requests by their size, not by a number of instances",
            hint="choose --batch-size 1, or leave it out",
        )


def _answers(line: bytes) -> int:
    """Return how many predictions a line of the output holds."""
    if not line.strip():
        return 0
    try:
        answer = msgspec.json.decode(line)
    except msgspec.DecodeError:  # a model's own script may answer anything
        return 1
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    return len(predictions) if isinstance(predictions, list) else 1
