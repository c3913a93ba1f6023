"""The runtime's limits and streamed answers."""

from __future__ import annotations

import asyncio
import contextlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.cloudwatch.endpoint_metrics import EndpointMetrics
from cloudserve.local_server.clouds.aws.cloudwatch.metric_store import MetricStore
from cloudserve.local_server.clouds.aws.runtime.event_stream import encode_message, payload_parts
from cloudserve.local_server.clouds.aws.runtime.invoker import (
    PAYLOAD_LIMIT,
    Invoker,
    Outlets,
    check_answer,
)
from cloudserve.local_server.clouds.aws.runtime.requests import InvokeRequest, ModelRefusalError
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.deployments import Deployment, Variant
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.endpoints import Routing
from cloudserve.local_server.container import Answer, Invocation
from hypothesis import given
from hypothesis import strategies as st

from tests.local_server.clouds.aws.conftest import JSON, HandClock, refused


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
        assert response["Error"]["Code"] == "ValidationError"
        assert response["Error"]["Message"].endswith(" has oversize body.")
        many = b"1\n" * 1_100_000  # the answer takes four bytes for each
        response = refused(aws.invoke, name=fresh, body=many, ContentType="text/csv")
        assert response["Error"]["Code"] == "ModelError"
        assert "the endpoint returns at most 4194304" in response["OriginalMessage"]
        aws.sm.update_endpoint_weights_and_capacities(
            EndpointName=fresh,
            DesiredWeightsAndCapacities=[
                {"VariantName": "main", "ServerlessUpdateConfig": {"MaxConcurrency": 9}}
            ],
        )
        shown = aws.settled(fresh)["ProductionVariants"][0]
        assert shown["CurrentServerlessConfig"]["MaxConcurrency"] == 9

    @pytest.mark.parametrize(
        ("request_of", "limit"),
        [({}, PAYLOAD_LIMIT), ({"is_async": True}, None), ({"is_streamed": True}, None)],
    )
    def test_an_answer_has_the_size_of_a_request(self, request_of, limit):
        request = InvokeRequest("us-east-1", "e", Invocation(b""), **request_of)
        variant = Variant(name="v", weight=1.0, container={})
        check_answer(request, variant, Answer(200, b"x" * PAYLOAD_LIMIT), "primary")
        larger = Answer(200, b"x" * (PAYLOAD_LIMIT + 1))
        if limit is None:
            check_answer(request, variant, larger, "primary")
            return
        with pytest.raises(ModelRefusalError, match=f"returns at most {limit}"):
            check_answer(request, variant, larger, "primary")

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
    def test_invalid_serverless_settings(self, aws, fresh, archived, more, message):
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
        clock = HandClock()
        store = MetricStore(lambda: clock.now().timestamp())
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(lambda: asyncio.run(ask_nobody(clock, store)))
            clock.until_someone_waits(60)
            clock.advance(60)
            error = future.result()
        assert (error.kind, error.status) == ("ModelError", 424)
        assert error.extra["OriginalStatusCode"] == 0
        assert error.extra["OriginalMessage"].startswith("Your invocation timed out while waiting")
        assert error.message.startswith("Received server error (0) from primary")
        sums = {m.name: sum(s.sum for s in store.samples(m, None).values()) for m in known(store)}
        assert (sums["InvocationModelErrors"], sums["Invocation5XXErrors"]) == (1.0, 0.0)


def known(store: MetricStore):
    return [metric for metric, _ in store.metrics("us-east-1")]


class Nobody:
    """Endpoints, a container pool and a container that never answers."""

    hosted = None

    async def routing(self, region, endpoint) -> Routing:
        variant = Variant(name="main", weight=1.0, container={})
        return Routing(Deployment(id="d", config="c", created=0.0, variants=[variant]))

    def hold(self, key):
        return contextlib.nullcontext(self)

    @property
    def container(self):
        return self

    async def invoke(self, invocation) -> None:
        await asyncio.Event().wait()


async def ask_nobody(clock: HandClock, store: MetricStore) -> ModelRefusalError:
    nobody, rng = Nobody(), random.Random(1)
    outlets = Outlets(None, EndpointMetrics(store))
    clocks = {"clock": clock, "timeout_clock": clock}
    invoker = Invoker(nobody, nobody, nobody, outlets, rng=rng, **clocks)
    try:
        with pytest.raises(ModelRefusalError) as caught:
            await invoker.invoke(InvokeRequest("us-east-1", "e", Invocation(b"[1]")))
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
