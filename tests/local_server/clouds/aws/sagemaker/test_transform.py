"""Batch transform: splitting, assembling and joining of records; the life of jobs."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct

import pytest
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.sagemaker.transform.invocations import invoke
from cloudserve.local_server.clouds.aws.sagemaker.transform.records import (
    Payload,
    assemble,
    decompress,
    join,
    payloads,
)
from cloudserve.local_server.container import Answer
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError

JOIN = {"DataProcessing": {"JoinSource": "Input"}}
LINES = st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & {10, 13}))


def bodies(content: bytes, split: str, limit: int = 1000, *, many: bool = True) -> list[bytes]:
    return [payload.body for payload in payloads(content, split, limit, many=many)]


class TestRecords:
    def test_one_object_is_one_request(self):
        assert bodies(b"a\nb\n", "None") == [b"a\nb\n"]

    def test_lines_fill_requests_up_to_the_limit(self):
        content = b"aa\r\nbb\n\ncc\n"
        assert bodies(content, "Line", 5) == [b"aa\nbb", b"cc"]
        assert bodies(content, "Line", many=False) == [b"aa", b"bb", b"cc"]

    @given(LINES, st.integers(20, 60), st.booleans())
    def test_no_line_is_lost_and_no_limit_passed(self, lines, limit, many):
        result = bodies(b"\n".join(lines), "Line", limit, many=many)
        assert b"\n".join(result).split(b"\n") == (lines or [b""])
        assert all(len(body) <= limit for body in result)

    def test_tfrecords_keep_their_framing(self):
        records = [struct.pack("<Q", len(d)) + b"crc1" + d + b"crc2" for d in (b"a", b"", b"ccc")]
        content = b"".join(records)
        assert bodies(content, "TFRecord", many=False) == records
        assert bodies(content, "TFRecord") == [content]
        for cut in range(1, len(records[0])):
            with pytest.raises(ModelError, match="it ends in a record"):
                bodies(content[:cut], "TFRecord")

    def test_a_record_past_the_limit_is_an_error(self):
        with pytest.raises(ModelError, match="a record of 6 bytes is larger than MaxPayloadInMB"):
            bodies(b"a\nbbbbbb", "Line", 5)

    def test_answers_are_put_together(self):
        assert assemble([b"a\n", b"b"], "Line") == b"a\nb\n"
        assert assemble([b"a\n", b"b"], "None") == b"a\nb"

    def test_records_are_joined_to_their_answers(self):
        two = Payload((b"1,2", b"3,4"), b"")
        assert join(two, b"0.5\n0.6\n", "text/csv") == b"1,2,0.5\n3,4,0.6"
        objects = Payload((b'{"x": 1}', b"[2]"), b"")
        lines = join(objects, b"[5]\n[6]", "application/jsonlines").split(b"\n")
        assert [json.loads(line) for line in lines] == [
            {"x": 1, "SageMakerOutput": [5]},
            {"SageMakerInput": [2], "SageMakerOutput": [6]},
        ]
        with pytest.raises(ModelError, match="2 records were answered by 1 lines"):
            join(two, b"0.5", "text/csv")
        quoted = b'0.5,"a ""b"" , c"'
        assert join(Payload((b"1",), b""), quoted + b"\r\n", "text/csv") == b"1," + quoted

    @pytest.mark.parametrize("answer", [b'{"predictions": [1]}', b'0.5\n1,a"b', b'"a"b', b'"a'])
    def test_an_answer_that_is_not_csv_is_not_joined_to_csv(self, answer):
        """The words of sagemaker-tensorflow-serving-container#154."""
        with pytest.raises(ModelError, match=r'Failed to parse output .* as CSV: bare "'):
            join(Payload((b"1", b"2"), b""), answer, "text/csv")

    def test_compressed_inputs(self):
        assert decompress(gzip.compress(b"a"), "Gzip") == b"a"
        with pytest.raises(ModelError, match="the input is not gzip"):
            decompress(b"a", "Gzip")


class SlowContainer:
    """A container that answers its last request only."""

    def __init__(self, requests: int) -> None:
        self.left = requests

    async def invoke(self, _: object) -> Answer:
        self.left -= 1
        if self.left:
            await asyncio.Event().wait()
        return Answer(200, b"late")


def test_a_request_is_repeated_after_its_time():
    client = {"InvocationsTimeoutInSeconds": 0.01, "InvocationsMaxRetries": 1}
    job = {"TransformInput": {}, "TransformOutput": {}, "ModelClientConfig": client}
    payload = Payload((b"1",), b"1")
    assert asyncio.run(invoke(SlowContainer(2), job, payload, "key")) == b"late"
    with pytest.raises(ModelError, match=r"no answer within the 0\.01 s of InvocationsTimeout"):
        asyncio.run(invoke(SlowContainer(3), job, payload, "key"))


@pytest.fixture
def run(aws, fresh, archived, poll_until):
    """Return a function that runs a job of the model that doubles, and returns how it ended."""
    aws.running.make_bucket(fresh)
    aws.add_model(fresh, archived["double"])

    def start(kind: str = "text/csv", **more) -> dict:
        fields = {
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{fresh}/in/"}
            },
            "ContentType": kind,
            "SplitType": "Line",
        } | more.pop("input", {})
        output = {"S3OutputPath": f"s3://{fresh}/out", "AssembleWith": "Line"}
        aws.sm.create_transform_job(
            TransformJobName=fresh,
            ModelName=fresh,
            TransformInput=fields,
            TransformOutput=output | more.pop("output", {}),
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        )
        return poll_until(
            lambda: aws.sm.describe_transform_job(TransformJobName=fresh),
            lambda job: job["TransformJobStatus"] not in {"InProgress", "Stopping"},
        )

    return start


def put(aws, bucket: str, **objects: bytes) -> None:
    for name, content in objects.items():
        aws.s3.put_object(Bucket=bucket, Key=f"in/{name.replace('__', '/')}", Body=content)


def outputs(aws, bucket: str) -> dict[str, bytes]:
    result = aws.s3.list_objects_v2(Bucket=bucket, Prefix="out/").get("Contents", [])
    return {o["Key"]: aws.s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in result}


class TestJobs:
    def test_every_object_below_the_prefix_is_answered(self, aws, fresh, run):
        put(aws, fresh, a=b"1\n2\n", b__c=b"3\n")
        job = run(output={"Accept": "application/json"})
        assert job["TransformJobStatus"] == "Completed", job
        assert job["TransformEndTime"] >= job["TransformStartTime"]
        assert outputs(aws, fresh) == {
            "out/a.out": b'{    "predictions": [2.0,4.0]}\n',
            "out/b/c.out": b'{    "predictions": [6.0]}\n',
        }

    def test_single_records_are_joined_in_their_order(self, aws, fresh, run):
        put(aws, fresh, a=b'{"x": 1}\n{"x": 2}\n')
        job = run(
            "application/jsonlines",
            BatchStrategy="SingleRecord",
            MaxConcurrentTransforms=2,
            DataProcessing={"JoinSource": "Input"},
        )
        assert job["TransformJobStatus"] == "Completed", job
        lines = [json.loads(line) for line in outputs(aws, fresh)["out/a.out"].splitlines()]
        assert lines == [{"x": x, "SageMakerOutput": {"predictions": [2.0 * x]}} for x in (1, 2)]

    def test_tensorflows_json_is_not_joined_to_csv(self, aws, fresh, run):
        put(aws, fresh, a=b"1\n")
        job = run(BatchStrategy="SingleRecord", DataProcessing={"JoinSource": "Input"})
        assert job["TransformJobStatus"] == "Failed"
        assert job["FailureReason"].startswith("Failed to parse output from the algorithm as CSV")

    def test_a_record_the_model_refuses_fails_the_job_and_leaves_no_output(self, aws, fresh, run):
        put(aws, fresh, a=b"1\n", b=b"what\n")
        job = run(BatchStrategy="SingleRecord")
        assert job["TransformJobStatus"] == "Failed"
        assert job["FailureReason"].startswith("ClientError: in/b: the container answered 400")
        assert list(outputs(aws, fresh)) == ["out/a.out"]

    def test_nothing_to_answer_fails_the_job(self, aws, fresh, run):
        assert run()["FailureReason"] == f"No objects found at s3://{fresh}/in/."

    def test_a_compressed_object(self, aws, fresh, run):
        put(aws, fresh, a=gzip.compress(b"1\n"))
        job = run(input={"CompressionType": "Gzip"})
        assert job["TransformJobStatus"] == "Completed", job

    def test_jobs_are_listed_and_cannot_be_stopped_twice(self, aws, fresh, run):
        put(aws, fresh, a=b"1\n")
        run()
        result = aws.sm.list_transform_jobs(NameContains=fresh, StatusEquals="Completed")
        assert [j["TransformJobName"] for j in result["TransformJobSummaries"]] == [fresh]
        assert (
            aws.sm.list_transform_jobs(NameContains=fresh, StatusEquals="Failed")[
                "TransformJobSummaries"
            ]
            == []
        )
        with pytest.raises(ClientError, match="is Completed: it cannot be stopped"):
            aws.sm.stop_transform_job(TransformJobName=fresh)
        with pytest.raises(aws.sm.exceptions.ResourceInUse, match=f"exists .*job/{fresh}"):
            run()
        waiter = aws.sm.get_waiter("transform_job_completed_or_stopped")
        waiter.wait(TransformJobName=fresh, WaiterConfig={"Delay": 1, "MaxAttempts": 5})

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"input": {"SplitType": "RecordIO"}}, "SplitType RecordIO is not available offline"),
            ({"output": {"S3OutputPath": "s3://nobody/x"}}, "The bucket of s3://nobody/x does not"),
            ({"DataProcessing": {"InputFilter": "$[1:]"}}, "InputFilter other than"),
            (JOIN | {"kind": "application/x-npy"}, "ContentType of a job with JoinSource"),
            (JOIN | {"output": {"Accept": "text/plain"}}, "Accept of a job with JoinSource"),
            (JOIN | {"output": {"Accept": "application/json"}}, "needs one format"),
            (JOIN | {"input": {"SplitType": "None"}}, "SplitType must be Line to join text/csv"),
            (JOIN | {"output": {"AssembleWith": "None"}}, "AssembleWith must be Line to join"),
            ({"MaxPayloadInMB": 101}, "must not exceed 100"),
            ({"MaxConcurrentTransforms": 17}, "must not exceed 100"),
        ],
    )
    def test_unsupported_options_are_rejected_immediately(self, run, more, message):
        with pytest.raises(ClientError, match=message):
            run(**more)

    def test_files_that_are_not_an_archive_are_rejected_as_in_the_api_reference(
        self, aws, run, fresh
    ):
        aws.sm.delete_model(ModelName=fresh)
        aws.add_model(fresh, "s3://models/double/")
        with pytest.raises(ClientError, match="ModelDataSource cannot be used with batch transf"):
            run()
