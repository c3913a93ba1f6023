"""Expect: 100-continue (RFC 9110 10.1.1): invited when the application first wants the body."""

from __future__ import annotations

import boto3
import botocore.config
import pytest
from cloudserve.local_server.transport.types import Response

from ..conftest import CLOSE, App, echo, ok

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PUT = b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"


def test_a_collected_body_is_invited_once_its_length_is_accepted(serve):
    wire = serve(echo).connect()
    for _ in range(2):
        wire.send(PUT + b"Content-Length: 3\r\n\r\n")
        assert wire.read_until(b"\r\n\r\n") == CONTINUE
        wire.send(b"abc")
        assert wire.read_response() == ok(b"PUT /k b'abc'")


def test_a_body_past_its_limit_is_not_invited(serve):
    answer = serve(App(echo, limit=2)).ask(PUT + b"Content-Length: 3\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 Content Too Large\r\n")


def test_a_streamed_body_is_invited_at_the_first_read(serve):
    async def answer(request):
        return Response(200, await request.stream.read(10), "text/plain")

    wire = serve(App(answer, limit=None)).connect()
    for _ in range(2):
        wire.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
        assert wire.read_until(b"\r\n\r\n") == CONTINUE
        wire.send(b"3\r\nabc\r\n0\r\n\r\n")
        assert wire.read_response() == ok(b"abc")


def test_an_unneeded_streamed_body_is_not_requested_and_the_connection_closed(serve):
    """Whether the client sends it all the same cannot be known: the next bytes are ambiguous."""
    app = App(lambda _: Response(412, b"", "text/plain"), limit=None)
    answer = serve(app).ask(PUT + b"Content-Length: 3\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 412 Precondition Failed\r\n")
    assert CLOSE in answer


def test_too_large_for_a_streaming_reader_is_reported_before_the_body_is_sent(serve):
    async def answer(request):
        return Response(200, await request.stream.read(2), "text/plain")

    response = serve(App(answer, limit=None)).ask(PUT + b"Content-Length: 3\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 413 Content Too Large\r\n")


@pytest.mark.parametrize("head", [b"PUT /k HTTP/1.1\r\nHost: h\r\n", b"PUT /k HTTP/1.0\r\n"])
def test_nobody_is_invited_who_has_no_body_or_speaks_http_10(serve, head):
    length = b"Content-Length: 3\r\n\r\nabc" if b"1.0" in head else b"\r\n"
    wire = serve(echo).connect()
    wire.send(head + b"Expect: 100-continue\r\n" + length)
    assert wire.read_response().startswith(b"HTTP/1.1 200 OK\r\n")


def test_another_expectation_is_417(serve):
    answer = serve(echo).ask(
        b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: a-miracle\r\nContent-Length: 3\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
    assert answer.endswith(b"""{"error": "the expectation 'a-miracle' cannot be met"}""")


@pytest.mark.parametrize("limit", [1 << 24, None], ids=["collected", "streamed"])
def test_boto3_puts_an_object_with_its_expectation(serve, limit):
    observed = []

    async def answer(request):
        body = request.content if limit else await request.stream.read(1 << 24)
        observed.append((request.head.headers.get("expect"), body))
        return Response(200, b"", headers={"ETag": '"e"'})

    running = serve(App(answer, limit=limit))
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{running.port}",
        region_name="us-east-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    body = bytes(range(256)) * 8192
    try:
        assert s3.put_object(Bucket="bucket", Key="k", Body=body)["ETag"] == '"e"'
    finally:
        s3.close()
    assert observed == [("100-continue", body)]
