"""InvokeEndpoint for boto3: content types, answers and errors."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import JSON, invoke, refusal, rows


class TestInvocations:
    @pytest.mark.parametrize(
        ("kind", "body", "expected"),
        [
            (JSON, b'{"instances": [1, 2]}', (2.0, 4.0)),
            (JSON, b"5", (10.0,)),
            ("text/csv", b"1\n2.5\n", (2.0, 5.0)),
            ("application/json; charset=utf-8", b'{"instances": [1]}', (2.0,)),
        ],
    )
    def test_content_types_are_converted_as_by_the_container(
        self, runtime, two_variants, kind, body, expected
    ):
        assert invoke(runtime, two_variants, body, kind)[0] == rows(*expected)

    def test_columns_come_back_as_outputs(self, runtime, two_variants):
        answer, _ = invoke(runtime, two_variants, b'{"inputs": [1.0]}')
        assert b'"outputs"' in answer

    def test_accept_json_removes_the_newlines(self, runtime, two_variants):
        answer, _ = invoke(runtime, two_variants, b'{"instances": [1]}', Accept=JSON)
        assert answer == b'{    "predictions": [2.0]}'

    def test_a_media_type_the_container_does_not_know(self, runtime, two_variants):
        with pytest.raises(ClientError) as caught:
            invoke(runtime, two_variants, b"x", "application/x-image")
        response = caught.value.response
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == 415
        original = '{"error":"Unsupported Media Type: application/x-image"}'
        assert response["OriginalMessage"] == original
        assert response["Error"]["Message"].startswith(
            f'Received client error (415) from primary with message "{original}".'
        )

    def test_a_missing_endpoint(self, runtime):
        arguments = {"EndpointName": "nope", "ContentType": JSON, "Body": b"[1]"}
        assert refusal(runtime.invoke_endpoint, **arguments) == (
            "ValidationError",
            "Endpoint nope of account 000000000000 not found.",
        )

    def test_a_missing_version_is_named_as_in_the_container(self, runtime, two_variants):
        with pytest.raises(runtime.exceptions.ModelError) as caught:
            invoke(runtime, two_variants, b"[1]", CustomAttributes="tfs-model-version=7")
        message = "Servable not found for request: Specific(model, 7)"
        assert json.loads(caught.value.response["OriginalMessage"]) == {"error": message}
        assert caught.value.response["OriginalStatusCode"] == 404

    def test_a_session_is_rejected(self, runtime, two_variants):
        with pytest.raises(ClientError, match="is not available offline") as caught:
            invoke(runtime, two_variants, b"[1]", SessionId="other")
        assert caught.value.response["Error"]["Code"] == "ValidationError"

    def test_a_missing_variant(self, runtime, two_variants):
        arguments = {"EndpointName": two_variants, "ContentType": JSON, "Body": b"[1]"}
        code, message = refusal(runtime.invoke_endpoint, **arguments, TargetVariant="other")
        assert (code, message) == (
            "ValidationError",
            f"Variant other not found for endpoint {two_variants}.",
        )

    def test_a_body_past_the_payload_limit(self, runtime, two_variants):
        with pytest.raises(ClientError) as caught:
            invoke(runtime, two_variants, b" " * 6_291_457)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
