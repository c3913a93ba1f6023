"""Data capture and shadow variants."""

from __future__ import annotations

import base64
import json

import pytest

from tests.local_server.clouds.aws.conftest import DOUBLED, JSON, TRIPLED, refused


class TestCaptureAndShadows:
    def make(self, aws, fresh, *, shadow: float | None = None, **capture) -> str:
        aws.running.make_bucket(fresh)
        aws.add_model(f"{fresh}-2", "s3://models/double/")
        aws.add_model(f"{fresh}-3", "s3://models/triple/")
        config = {
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
        result = aws.s3.list_objects_v2(Bucket=fresh, Prefix=prefix).get("Contents", [])
        bodies = [aws.s3.get_object(Bucket=fresh, Key=o["Key"])["Body"].read() for o in result]
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

    def test_its_files_are_in_folders_by_hour(self, aws, fresh):
        self.make(aws, fresh)
        aws.invoke(fresh)
        (result,) = aws.s3.list_objects_v2(Bucket=fresh)["Contents"]
        *_, year, month, day, hour, name = result["Key"].split("/")
        assert [len(part) for part in (year, month, day, hour)] == [4, 2, 2, 2]
        assert name.endswith(".jsonl")

    @pytest.mark.parametrize(
        "capture", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}]
    )
    def test_nothing_is_captured_unasked(self, aws, fresh, capture):
        self.make(aws, fresh, **capture)
        aws.invoke(fresh)
        assert self.lines(aws, fresh) == []

    def test_a_request_that_the_model_refuses_is_not_captured(self, aws, fresh):
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
