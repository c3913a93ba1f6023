"""Typed records and their stored form: data folders of older versions have it."""

from contextlib import closing

import msgspec
import pytest
from cloudserve.local_server.clouds.aws.sagemaker.model_packages import Package
from cloudserve.local_server.clouds.aws.sagemaker.transform.jobs import TransformJob
from cloudserve.local_server.clouds.google.ai_platform.operations import Operation
from cloudserve.local_server.clouds.google.ai_platform.records import State
from cloudserve.local_server.clouds.google.ai_platform.records import Version as MlVersion
from cloudserve.local_server.clouds.google.common.etag import etag
from cloudserve.local_server.clouds.latency import SystemClock
from cloudserve.local_server.clouds.resources import Resources
from cloudserve.local_server.clouds.vertex.records import Job, Records, Version

PARENT = "projects/p/locations/us-central1"
MODEL = {"name": f"{PARENT}/models/1", "versionId": "2", "displayName": "m"}
VERSION = {**MODEL, "versionAliases": ["default"], "_artifact": "77"}
JOB = {"name": f"{PARENT}/batchPredictionJobs/3", "state": "JOB_STATE_RUNNING", "_version": VERSION}
PACKAGE = {
    "ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/4",
    "ModelPackageVersion": 4,
    "ModelApprovalStatus": "Approved",
}
TRANSFORM = {"TransformJobArn": "arn", "TransformJobStatus": "InProgress"}
ML_VERSION = {"name": "projects/p/models/m/versions/v", "state": "READY"}


@pytest.mark.parametrize(
    ("record", "stored"),
    [
        (Version, VERSION),
        (Version, VERSION | {"_artifact": None}),
        (Job, JOB),
        (Package, PACKAGE | {"_token": "t"}),
        (
            TransformJob,
            TRANSFORM | {"_container": {"Image": "i"}, "_region": "eu-west-1", "_isolated": True},
        ),
        (MlVersion, ML_VERSION),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_record_is_stored_as_before_and_its_document_has_no_internal_field(record, stored):
    read = record.read(stored)
    assert read.stored() == stored
    assert read.document == {k: v for k, v in stored.items() if not k.startswith("_")}


def test_a_job_keeps_the_version_that_it_was_created_with():
    job = Job.read(JOB)
    version = Version(document=job.version.document, artifact="77")
    assert (job.version, job.state) == (version, "JOB_STATE_RUNNING")
    assert job.version.name == f"{PARENT}/models/1@2"


def test_a_transform_job_of_an_older_version_is_in_the_default_region():
    assert TransformJob.read(TRANSFORM | {"_container": {}}).region == "us-east-1"


def test_the_name_that_older_versions_stored_in_a_package_is_dropped():
    package = Package.read(PACKAGE | {"_name": "g/4", "_token": None})
    assert package.stored() == PACKAGE | {"_token": None}


def test_the_etag_of_a_stored_version_is_the_same_as_before(tmp_path):
    with closing(Resources(tmp_path / "clouds.db")) as resources:
        shown = Records(resources, SystemClock()).shown_version(Version.read(VERSION))
    assert shown == {**MODEL, "versionAliases": ["default"], "etag": etag(VERSION)}


def test_an_operation_of_ai_platform_is_stored_as_before():
    metadata = {"operationType": "CREATE_VERSION", "version": ML_VERSION}
    for stored in (
        {"name": "o", "metadata": metadata},
        {"name": "o", "metadata": metadata, "done": True, "response": {"@type": "t"}},
        {"name": "o", "metadata": {}, "done": True, "error": {"code": 3, "message": "m"}},
    ):
        operation = msgspec.convert(stored, Operation)
        assert operation.shown() == stored
        assert operation.version == stored["metadata"].get("version", {}).get("name")


def test_a_state_that_the_offline_ai_platform_does_not_have_is_an_error():
    assert MlVersion.read(ML_VERSION).state is State.READY
    with pytest.raises(ValueError, match="UNKNOWN"):
        _ = MlVersion.read(ML_VERSION | {"state": "UNKNOWN"}).state
