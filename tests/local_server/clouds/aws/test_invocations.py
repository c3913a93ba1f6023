"""The runtime's operations: models of multi-model endpoints, streams, limits, later answers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import random
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.event_stream import encode_message, payload_parts
from cloudserve.local_server.clouds.aws.invoker import Asked, Invoker, ModelRefusalError
from cloudserve.local_server.clouds.aws.sagemaker_endpoints import Lanes
from cloudserve.local_server.container import Invocation
from hypothesis import given
from hypothesis import strategies as st

from tests.local_server.clouds.aws.conftest import Aws, HandClock

JSON = "application/json"
DOUBLED = b'{\n    "predictions": [2.0]\n}'
TRIPLED = b'{\n    "predictions": [3.0]\n}'


def refused(call, **arguments) -> dict:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


def packed(folder) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    return content.getvalue()


@pytest.fixture
def doubling(aws, fresh):
    """Give an endpoint that doubles."""
    aws.add_model(fresh, "s3://models/double/")
    aws.add_config(fresh, aws.variant("main", fresh))
    aws.add_endpoint(fresh)
    return fresh


class TestManyModels:
    @pytest.fixture
    def many(self, aws, fresh, models):
        """Give a multi-model endpoint with room for two, and three models below its prefix."""
        aws.running.make_bucket(fresh)
        for key, folder in (
            ("a.tar.gz", "double"),
            ("b.tar.gz", "triple"),
            ("c/d.tar.gz", "double"),
        ):
            aws.s3.put_object(Bucket=fresh, Key=f"m/{key}", Body=packed(models / folder))
        aws.s3.put_object(Bucket=fresh, Key="m/bad.tar.gz", Body=b"no archive")
        room_for_two = {"SAGEMAKER_SAFE_PORT_RANGE": "1000-1005"}
        aws.add_multi_model(fresh, f"s3://{fresh}/m", Environment=room_for_two)
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.add_endpoint(fresh)
        return fresh

    def test_each_request_names_its_model_and_the_oldest_makes_room(self, aws, many):
        for target, expected in (
            ("a.tar.gz", DOUBLED),
            ("/b.tar.gz", TRIPLED),
            ("c/d.tar.gz", DOUBLED),
            ("a.tar.gz", DOUBLED),
        ):
            assert aws.invoke(many, TargetModel=target) == expected

    def test_a_model_that_is_not_there(self, aws, many):
        response = refused(aws.invoke, name=many, TargetModel="nope.tar.gz")
        assert response["Error"] == {
            "Code": "ValidationError",
            "Message": f"Failed to download model data(bucket: {many}, key: m/nope.tar.gz). Please"
            " ensure that there is an object located at the URL and that the role passed to"
            " CreateModel has permissions to download the model.",
        }

    def test_a_model_that_is_no_archive_harms_no_other(self, aws, many):
        response = refused(aws.invoke, name=many, TargetModel="bad.tar.gz")
        assert "the model archive cannot be extracted" in response["Error"]["Message"]
        assert aws.invoke(many, TargetModel="a.tar.gz") == DOUBLED

    def test_a_request_has_to_name_one(self, aws, many):
        message = refused(aws.invoke, name=many)["Error"]["Message"]
        assert message.endswith("the target model header is required.")

    def test_other_endpoints_take_no_target(self, aws, doubling):
        assert refused(aws.invoke, name=doubling, TargetModel="a.tar.gz")["Error"] == {
            "Code": "ValidationError",
            "Message": f"Endpoint {doubling} is not a multi-model endpoint and does not support"
            " target model header.",
        }


class TestTheUsersCode:
    @pytest.fixture
    def raising(self, aws, fresh, models, tmp_path):
        """Give an endpoint whose inference.py raises what it is sent."""
        (tmp_path / "inference.py").write_text(
            "def handler(data, context):\n    raise ValueError(data.read().decode())\n"
        )
        aws.running.upload("code", f"{fresh}/", models / "double")
        aws.s3.upload_file(str(tmp_path / "inference.py"), "code", f"{fresh}/code/inference.py")
        aws.add_model(fresh, f"s3://code/{fresh}/")
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.add_endpoint(fresh)
        return fresh

    def test_what_it_raises_is_the_original_message(self, aws, raising):
        response = refused(aws.invoke, name=raising, body=b"oh no")
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == 500
        assert response["OriginalMessage"] == '{"error": "oh no"}'
        group = f"/aws/sagemaker/Endpoints/{raising}"
        assert response["LogStreamArn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
        assert response["Error"]["Message"] == (
            'Received server error (500) from primary with message "{"error": "oh no"}". See'
            " https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
            f"#logEventViewer:group={group} in account 000000000000 for more information."
        )

    def test_one_that_cannot_be_imported_fails_the_endpoint(self, aws, fresh, models, tmp_path):
        (tmp_path / "inference.py").write_text("import no_such_module_at_all")
        aws.running.upload("code", f"{fresh}/", models / "double")
        aws.s3.upload_file(str(tmp_path / "inference.py"), "code", f"{fresh}/code/inference.py")
        aws.add_model(fresh, f"s3://code/{fresh}/")
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        failed = aws.settled(fresh)
        assert failed["EndpointStatus"] == "Failed"
        assert "No module named 'no_such_module_at_all'" in failed["FailureReason"]


class TestLimits:
    def test_a_serverless_endpoint_takes_four_megabytes(self, aws, fresh, archived):
        aws.add_model(fresh, archived["double"])
        serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
        aws.add_config(fresh, aws.variant("main", fresh, ServerlessConfig=serverless))
        shown = aws.add_endpoint(fresh)["ProductionVariants"][0]
        assert shown["CurrentServerlessConfig"] == serverless
        assert "CurrentInstanceCount" not in shown
        most = b"[1]" + b" " * (4 * 1024 * 1024 - 3)
        assert aws.invoke(fresh, most) == b'{\n    "predictions": [[2.0]]\n}'
        response = refused(aws.invoke, name=fresh, body=most + b" ")
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 413
        assert response["Error"]["Message"] == "HTTP content length exceeded 4194304 bytes."
        aws.sm.update_endpoint_weights_and_capacities(
            EndpointName=fresh,
            DesiredWeightsAndCapacities=[
                {"VariantName": "main", "ServerlessUpdateConfig": {"MaxConcurrency": 9}}
            ],
        )
        shown = aws.describe(fresh)["ProductionVariants"][0]
        assert shown["CurrentServerlessConfig"]["MaxConcurrency"] == 9

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"MemorySizeInMB": 1500, "MaxConcurrency": 1}, "must be one of 1024, 2048, 3072"),
            (
                {"MemorySizeInMB": 1024, "MaxConcurrency": 1, "ProvisionedConcurrency": 2},
                "must be less than or equal to its MaxConcurrency",
            ),
        ],
    )
    def test_serverless_settings_that_do_not_go(self, aws, fresh, archived, more, message):
        aws.add_model(fresh, archived["double"])
        with pytest.raises(ClientError, match=message):
            aws.add_config(fresh, aws.variant("main", fresh, ServerlessConfig=more))

    def test_a_serverless_endpoint_reads_no_prefix(self, aws, fresh):
        aws.add_model(fresh, "s3://models/double/")
        settings = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
        with pytest.raises(ClientError, match="ModelDataSource cannot be used with serverless"):
            aws.add_config(fresh, aws.variant("main", fresh, ServerlessConfig=settings))

    @pytest.mark.parametrize(
        ("header", "value"),
        [("TargetVariant", "a_b"), ("InferenceId", "\x80"), ("CustomAttributes", "x" * 1025)],
    )
    def test_headers_are_held_against_the_model(self, aws, doubling, header, value):
        response = refused(aws.invoke, name=doubling, **{header: value})
        assert response["Error"]["Code"] == "ValidationError"
        assert "failed to satisfy constraint" in response["Error"]["Message"]

    def test_a_container_that_takes_more_than_a_minute(self):
        patience = HandClock()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda: asyncio.run(ask_nobody(patience)))
            patience.until_someone_waits(60)
            patience.advance(60)
            error = asked.result()
        assert (error.kind, error.status) == ("ModelError", 424)
        assert error.extra["OriginalStatusCode"] == 0
        assert error.extra["OriginalMessage"].startswith("Your invocation timed out while waiting")
        assert error.message.startswith("Received server error (0) from primary")


class Nobody:
    """Stands for endpoints, a fleet and a container that never answers."""

    hosted = None

    async def lanes(self, region, endpoint) -> Lanes:
        variant = {"name": "main", "weight": 1.0, "serverless": None}
        return Lanes({"id": "d", "variants": [variant]})

    def hold(self, key):
        return contextlib.nullcontext(self)

    @property
    def container(self):
        return self

    async def invoke(self, invocation) -> None:
        await asyncio.Event().wait()


async def ask_nobody(patience: HandClock) -> ModelRefusalError:
    nobody, chance = Nobody(), random.Random(1)
    invoker = Invoker(nobody, nobody, None, chance, patience, patience)
    try:
        with pytest.raises(ModelRefusalError) as caught:
            await invoker.invoke(Asked("us-east-1", "e", Invocation(b"[1]")))
    finally:
        await invoker.close()
    return caught.value


class TestStreams:
    def test_an_answer_comes_as_payload_parts(self, aws, doubling):
        answer = aws.runtime.invoke_endpoint_with_response_stream(
            EndpointName=doubling, ContentType=JSON, Accept=JSON, Body=b'{"instances": [1]}'
        )
        assert answer["InvokedProductionVariant"] == "main"
        assert answer["ContentType"] == JSON
        parts = [event["PayloadPart"]["Bytes"] for event in answer["Body"]]
        assert b"".join(parts) == b'{    "predictions": [2.0]}'

    def test_a_refusal_of_the_container_is_no_stream(self, aws, doubling):
        response = refused(
            aws.runtime.invoke_endpoint_with_response_stream,
            EndpointName=doubling,
            ContentType="application/x-image",
            Body=b"x",
        )
        assert (response["Error"]["Code"], response["OriginalStatusCode"]) == ("ModelError", 415)

    @given(st.binary(max_size=400_000))
    def test_any_body_comes_back_from_botocores_reader(self, body):
        buffer = EventStreamBuffer()
        buffer.add_data(payload_parts(body))
        assert b"".join(event.payload for event in buffer) == body

    @given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50)), st.binary())
    def test_headers_come_back_too(self, headers, payload):
        buffer = EventStreamBuffer()
        buffer.add_data(encode_message(headers, payload))
        (message,) = list(buffer)
        assert (message.headers, message.payload) == (headers, payload)


class TestLater:
    @pytest.fixture
    def later(self, aws, fresh):
        """Give an asynchronous endpoint that doubles; its bucket has the same name."""
        aws.running.make_bucket(fresh)
        aws.add_model(fresh, "s3://models/double/")
        output = {"S3OutputPath": f"s3://{fresh}/out", "S3FailurePath": f"s3://{fresh}/bad/"}
        config = {"OutputConfig": output}
        aws.add_config(fresh, aws.variant("main", fresh), AsyncInferenceConfig=config)
        assert aws.add_endpoint(fresh)["AsyncInferenceConfig"] == config
        return fresh

    def call(self, aws, name: str, **arguments) -> dict:
        return aws.runtime.invoke_endpoint_async(EndpointName=name, **arguments)

    def get(self, aws, poll_until, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")

        def find() -> dict:
            found = aws.s3.list_objects_v2(Bucket=bucket, Prefix=key)
            return found if found["KeyCount"] else {}

        poll_until(find, bool)
        return aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def test_an_input_of_the_bucket_is_answered_in_the_bucket(self, aws, later, poll_until):
        aws.s3.put_object(Bucket=later, Key="in.json", Body=b'{"instances": [1]}')
        accepted = self.call(
            aws, later, InputLocation=f"s3://{later}/in.json", ContentType=JSON, InferenceId="i 1"
        )
        assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert accepted["InferenceId"] == "i 1"
        assert accepted["OutputLocation"].startswith(f"s3://{later}/out/")
        assert accepted["FailureLocation"].startswith(f"s3://{later}/bad/")
        assert self.get(aws, poll_until, accepted["OutputLocation"]) == DOUBLED

    def test_an_inline_body_has_a_name_and_a_folder_of_its_own(self, aws, later, poll_until):
        accepted = self.call(
            aws,
            later,
            Body=b'{"instances": [1]}',
            ContentType=JSON,
            Filename="answer.json",
            S3OutputPathExtension="today/",
        )
        assert accepted["OutputLocation"] == f"s3://{later}/out/today/answer.json"
        assert self.get(aws, poll_until, accepted["OutputLocation"]) == DOUBLED

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"Body": b"x", "ContentType": "application/x-image"}, b"(415) from primary"),
            ({"InputLocation": "s3://no-such-bucket/x"}, b"Failed to download input data(bucket:"),
        ],
    )
    def test_a_failure_is_told_in_the_bucket(self, aws, later, poll_until, arguments, told):
        accepted = self.call(aws, later, **arguments)
        assert told in self.get(aws, poll_until, accepted["FailureLocation"])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "Exactly one of InputLocation and Body must be provided."),
            ({"InputLocation": "https://x/y"}, "must be an s3:// URI offline"),
            ({"Body": b"x", "RequestTTLSeconds": 21_601}, "less than or equal to 21600"),
            ({"Body": b" " * 128_001}, "HTTP content length exceeded 128000 bytes."),
        ],
    )
    def test_what_is_refused_at_once(self, aws, later, arguments, message):
        assert message in refused(self.call, aws=aws, name=later, **arguments)["Error"]["Message"]

    def test_an_endpoint_that_answers_at_once(self, aws, doubling):
        response = refused(self.call, aws=aws, name=doubling, Body=b"[1]")
        assert "is not configured for asynchronous inference" in response["Error"]["Message"]

    def test_what_was_accepted_is_answered_after_a_restart(
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
        asked = {"EndpointName": "e", "ContentType": JSON}
        left = {
            "id": "left",
            "region": "us-east-1",
            "asked": asked,
            "body": '{"instances": [1]}',
            "accepted": 2e9,
            "InferenceId": "left",
            "OutputLocation": "s3://models/out/left.out",
        }
        resources.put("aws/async-invocation", "left", left)
        resources.close()
        again = Aws(start_emulator(tmp_path), poll_until)
        assert self.get(again, poll_until, "s3://models/out/left.out") == DOUBLED


class TestCaptureAndShadows:
    def make(self, aws, fresh, *, shadow: float | None = None, **capture) -> str:
        aws.running.make_bucket(fresh)
        aws.add_model(f"{fresh}-2", "s3://models/double/")
        aws.add_model(f"{fresh}-3", "s3://models/triple/")
        config = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{fresh}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        } | capture
        more = {}
        if shadow is not None:
            more["ShadowProductionVariants"] = [aws.variant("shadow", f"{fresh}-3", shadow)]
        aws.add_config(fresh, aws.variant("main", f"{fresh}-2"), DataCaptureConfig=config, **more)
        return aws.add_endpoint(fresh)

    def lines(self, aws, fresh, variant: str = "main") -> list[dict]:
        prefix = f"captured/{fresh}/{variant}/"
        found = aws.s3.list_objects_v2(Bucket=fresh, Prefix=prefix).get("Contents", [])
        bodies = [aws.s3.get_object(Bucket=fresh, Key=o["Key"])["Body"].read() for o in found]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def test_a_request_and_its_answer_are_captured(self, aws, fresh):
        shown = self.make(aws, fresh, CaptureContentTypeHeader={"JsonContentTypes": [JSON]})
        assert shown["DataCaptureConfig"]["CaptureStatus"] == "Started"
        aws.invoke(fresh, InferenceId="i1", CustomAttributes="a=b")
        (line,) = self.lines(aws, fresh)
        assert line["eventVersion"] == "0"
        assert line["captureData"] == {
            "endpointInput": {
                "observedContentType": JSON,
                "mode": "INPUT",
                "data": '{"instances": [1]}',
                "encoding": "JSON",
            },
            "endpointOutput": {
                "observedContentType": JSON,
                "mode": "OUTPUT",
                "data": DOUBLED.decode(),
                "encoding": "JSON",
            },
        }
        about = line["eventMetadata"]
        assert (about["inferenceId"], about["customAttributes"]) == ("i1", ["a=b"])
        assert set(about) >= {"eventId", "inferenceTime"}

    def test_a_type_that_is_not_named_is_base64(self, aws, fresh):
        self.make(aws, fresh, CaptureOptions=[{"CaptureMode": "Input"}])
        aws.invoke(fresh)
        (line,) = self.lines(aws, fresh)
        (side,) = line["captureData"].values()
        assert side["encoding"] == "BASE64"
        assert base64.b64decode(side["data"]) == b'{"instances": [1]}'

    def test_its_files_lie_by_hour(self, aws, fresh):
        self.make(aws, fresh)
        aws.invoke(fresh)
        (found,) = aws.s3.list_objects_v2(Bucket=fresh)["Contents"]
        *_, year, month, day, hour, name = found["Key"].split("/")
        assert [len(part) for part in (year, month, day, hour)] == [4, 2, 2, 2]
        assert name.endswith(".jsonl")

    @pytest.mark.parametrize(
        "capture", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}]
    )
    def test_nothing_is_captured_unasked(self, aws, fresh, capture):
        self.make(aws, fresh, **capture)
        aws.invoke(fresh)
        assert self.lines(aws, fresh) == []

    def test_what_the_model_refuses_is_not_captured(self, aws, fresh):
        self.make(aws, fresh)
        refused(aws.invoke, name=fresh, ContentType="application/x-image")
        assert self.lines(aws, fresh) == []

    def test_a_shadow_gets_copies_and_nobody_its_answers(self, aws, fresh, poll_until):
        shown = self.make(aws, fresh, shadow=1.0)
        assert shown["ShadowProductionVariants"][0]["VariantName"] == "shadow"
        assert aws.invoke(fresh) == DOUBLED
        poll_until(lambda: {"lines": self.lines(aws, fresh, "shadow")}, lambda a: bool(a["lines"]))
        (line,) = self.lines(aws, fresh, "shadow")
        output = line["captureData"]["endpointOutput"]["data"]
        assert base64.b64decode(output) == TRIPLED

    def test_a_shadow_of_no_weight_gets_nothing(self, aws, fresh):
        self.make(aws, fresh, shadow=0.0)
        aws.invoke(fresh)
        assert len(self.lines(aws, fresh)) == 1
        assert self.lines(aws, fresh, "shadow") == []
