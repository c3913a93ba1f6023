"""InvokeEndpointAsync: inputs and answers in the bucket."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import DOUBLED, JSON, Aws, refused
from tests.local_server.clouds.console.test_clouds_console import shown

TOPIC = "arn:aws:sns:us-east-1:000000000000"


def published(aws: Aws, topic: str) -> dict:
    """Return the first message of a topic, {} before it is there."""
    name = topic.rpartition(":")[2]
    path = aws.running.emulator._folder.path / "sns" / "us-east-1" / f"{name}.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return json.loads(json.loads(lines[0])["Message"]) if lines else {}


def split(message: dict) -> tuple[set[str], dict]:
    """Return the names of a message's times, and its other members."""
    times = {name for name in message if name.endswith("Time")}
    return times, {name: value for name, value in message.items() if name not in times}


class TestLater:
    @pytest.fixture
    def async_endpoint(self, aws, fresh):
        """Provide an asynchronous endpoint that doubles; its bucket has the same name."""
        aws.running.make_bucket(fresh)
        aws.add_model(fresh, "s3://models/double/")
        output = {"S3OutputPath": f"s3://{fresh}/out", "S3FailurePath": f"s3://{fresh}/bad/"}
        config = {"OutputConfig": output}
        aws.add_config(fresh, aws.variant("main", fresh), AsyncInferenceConfig=config)
        assert aws.add_endpoint(fresh)["AsyncInferenceConfig"] == config
        return fresh

    def test_the_console_has_no_form_for_it(self, aws, async_endpoint):
        rows = shown(aws.running, "resources")
        (path,) = [
            r["path"] for r in rows if (r["kind"], r["name"]) == ("endpoint", async_endpoint)
        ]
        assert path == ""

    def call(self, aws, name: str, **arguments) -> dict:
        return aws.runtime.invoke_endpoint_async(EndpointName=name, **arguments)

    def get(self, aws, poll_until, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")

        def find() -> dict:
            result = aws.s3.list_objects_v2(Bucket=bucket, Prefix=key)
            return result if result["KeyCount"] else {}

        poll_until(find, bool)
        return aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def test_an_input_of_the_bucket_is_answered_in_the_bucket(
        self, aws, async_endpoint, poll_until
    ):
        aws.s3.put_object(Bucket=async_endpoint, Key="in.json", Body=b'{"instances": [1]}')
        accepted = self.call(
            aws,
            async_endpoint,
            InputLocation=f"s3://{async_endpoint}/in.json",
            ContentType=JSON,
            InferenceId="i 1",
        )
        assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert accepted["InferenceId"] == "i 1"
        assert accepted["OutputLocation"].startswith(f"s3://{async_endpoint}/out/")
        assert accepted["FailureLocation"].startswith(f"s3://{async_endpoint}/bad/")
        assert self.get(aws, poll_until, accepted["OutputLocation"]) == DOUBLED

    def test_an_inline_body_has_a_name_and_a_folder_of_its_own(
        self, aws, async_endpoint, poll_until
    ):
        accepted = self.call(
            aws,
            async_endpoint,
            Body=b'{"instances": [1]}',
            ContentType=JSON,
            Filename="answer.json",
            S3OutputPathExtension="today/",
        )
        assert accepted["OutputLocation"] == f"s3://{async_endpoint}/out/today/answer.json"
        assert self.get(aws, poll_until, accepted["OutputLocation"]) == DOUBLED

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"Body": b"x", "ContentType": "application/x-image"}, b'"error"'),
            ({"InputLocation": "s3://no-such-bucket/x"}, b"Failed to download input data(bucket:"),
        ],
    )
    def test_a_failure_is_written_to_the_bucket(
        self, aws, async_endpoint, poll_until, arguments, text
    ):
        accepted = self.call(aws, async_endpoint, **arguments)
        assert text in self.get(aws, poll_until, accepted["FailureLocation"])

    def test_a_models_failure_is_its_answer_as_the_sdk_reads_it(
        self, aws, async_endpoint, poll_until
    ):
        """sagemaker's AsyncInferenceResponse deserializes the failure object as a response."""
        body = b'{"instances": ["no number"]}'
        accepted = self.call(aws, async_endpoint, Body=body, ContentType=JSON)
        text = self.get(aws, poll_until, accepted["FailureLocation"])
        assert set(json.loads(text)) == {"error"}
        bucket, _, key = accepted["FailureLocation"].removeprefix("s3://").partition("/")
        assert aws.s3.get_object(Bucket=bucket, Key=key)["ContentType"] == JSON

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "Exactly one of InputLocation and Body must be provided."),
            ({"InputLocation": "https://x/y"}, "must be an s3:// URI offline"),
            ({"Body": b"x", "RequestTTLSeconds": 21_601}, "less than or equal to 21600"),
            ({"Body": b" " * 128_001}, "HTTP content length exceeded 128000 bytes."),
        ],
    )
    def test_invalid_requests_are_rejected_immediately(
        self, aws, async_endpoint, arguments, message
    ):
        assert (
            message
            in refused(self.call, aws=aws, name=async_endpoint, **arguments)["Error"]["Message"]
        )

    def test_both_ends_are_published_to_topics(self, aws, fresh, poll_until):
        """The messages are those of the guide, "Check prediction results"."""
        aws.running.make_bucket(fresh)
        aws.add_model(fresh, "s3://models/double/")
        sns = aws.running.aws("sns")
        topics = {
            kind: sns.create_topic(Name=f"{fresh}-{kind}")["TopicArn"]
            for kind in ("SuccessTopic", "ErrorTopic")
        }
        output = {"S3OutputPath": f"s3://{fresh}/out", "NotificationConfig": topics}
        config = {"OutputConfig": output}
        aws.add_config(fresh, aws.variant("main", fresh), AsyncInferenceConfig=config)
        aws.add_endpoint(fresh)
        aws.s3.put_object(Bucket=fresh, Key="in.json", Body=b'{"instances": [1]}')
        where = f"s3://{fresh}/in.json"
        good = self.call(
            aws,
            fresh,
            InputLocation=where,
            ContentType=JSON,
            InferenceId="good",
            CustomAttributes="task=7",
        )
        self.call(aws, fresh, InputLocation=where, ContentType="image/png", InferenceId="bad")
        success = poll_until(lambda: published(aws, topics["SuccessTopic"]), bool)
        failure = poll_until(lambda: published(aws, topics["ErrorTopic"]), bool)
        (times, rest) = split(success)
        assert sorted(times) == ["eventTime", "receivedTime"]
        assert rest == {
            "awsRegion": "us-east-1",
            "invocationStatus": "Completed",
            "requestParameters": {
                "contentType": JSON,
                "customAttributes": "task=7",
                "endpointName": fresh,
                "inputLocation": where,
            },
            "responseParameters": {
                "contentType": JSON,
                "outputLocation": good["OutputLocation"],
            },
            "inferenceId": "good",
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        assert failure["invocationStatus"] == "Failed"
        assert failure["failureReason"] == (
            "ClientError: Received client error (415) from model. See the SageMaker Endpoint logs"
            " in your account for more information."
        )
        assert "responseParameters" not in failure

    @pytest.mark.parametrize(
        ("config", "text"),
        [
            ({"SuccessTopic": f"{TOPIC}:nobody"}, "SuccessTopic .*nobody does not exist"),
            ({"IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC"]}, "AWS documents"),
        ],
    )
    def test_notifications_that_would_be_lost_are_refused(self, aws, fresh, config, text):
        aws.add_model(fresh, "s3://models/double/")
        output = {"S3OutputPath": f"s3://{fresh}/out", "NotificationConfig": config}
        with pytest.raises(ClientError, match=text):
            aws.add_config(
                fresh, aws.variant("main", fresh), AsyncInferenceConfig={"OutputConfig": output}
            )

    def test_an_input_may_be_larger_than_a_request(self, aws, async_endpoint, poll_until):
        spaces = b" " * 7 * 1024 * 1024
        aws.s3.put_object(
            Bucket=async_endpoint, Key="large", Body=b'{"instances": [1' + spaces + b"]}"
        )
        accepted = self.call(
            aws, async_endpoint, InputLocation=f"s3://{async_endpoint}/large", ContentType=JSON
        )
        assert self.get(aws, poll_until, accepted["OutputLocation"]) == DOUBLED

    @pytest.mark.parametrize(
        "operation", ["invoke_endpoint", "invoke_endpoint_with_response_stream"]
    )
    def test_a_request_that_waits_for_its_answer_is_refused(self, aws, async_endpoint, operation):
        call = getattr(aws.runtime, operation)
        error = refused(call, EndpointName=async_endpoint, Body=b"[1]", ContentType=JSON)["Error"]
        assert error["Code"] == "ValidationError"
        assert error["Message"].endswith("use InvokeEndpointAsync.")

    def test_an_endpoint_that_answers_at_once(self, aws, doubling):
        response = refused(self.call, aws=aws, name=doubling, Body=b"[1]")
        assert "is not configured for asynchronous inference" in response["Error"]["Message"]

    def test_accepted_invocations_are_answered_after_a_restart(
        self, start_emulator, models, tmp_path, poll_until
    ):
        from cloudserve.local_server.clouds.resources import Resources

        running = start_emulator(tmp_path)
        aws = Aws(running, poll_until)
        running.upload("models", "", models)
        aws.add_model("m", "s3://models/double/")
        output = {"OutputConfig": {"S3OutputPath": "s3://models/out"}}
        aws.add_config("c", aws.variant("main", "m"), AsyncInferenceConfig=output)
        aws.add_endpoint("e", "c")
        running.stop()
        # As a process leaves it that was killed before it answered.
        resources = Resources(tmp_path / "clouds.db")
        request = {"EndpointName": "e", "ContentType": JSON}
        left = {
            "id": "left",
            "region": "us-east-1",
            "asked": request,
            "body": '{"instances": [1]}',
            "accepted": 2e9,
            "InferenceId": "left",
            "OutputLocation": "s3://models/out/left.out",
        }
        resources.put("aws/async-invocation", "left", left)
        resources.close()
        again = Aws(start_emulator(tmp_path), poll_until)
        assert self.get(again, poll_until, "s3://models/out/left.out") == DOUBLED
