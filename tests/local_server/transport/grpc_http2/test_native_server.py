"""The native transport, beyond the tests that both transports share."""

import asyncio

import grpc
import grpc.aio
import pytest
from cloudserve.local_server.transport.grpc_http2.server import NativeGrpcServer
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode
from google.protobuf.wrappers_pb2 import StringValue
from hpack import Decoder

from cloudserve.errors import UserError

from ..grpc import grpc_echo
from ..grpc.grpc_echo import SERVICE, Echo, ask, in_loop, insecure, refusal, serving


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(grpc_echo, "chosen", "native")


GRPC = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", f"/{SERVICE}/Say".encode()),
    (b"content-type", b"application/grpc"),
]
MESSAGE = StringValue(value="hello").SerializeToString()
FRAMED = b"\0" + len(MESSAGE).to_bytes(4, "big") + MESSAGE


async def exchange(server, fields, body):
    """Send one request as bytes; return the fields of its last header block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(frames.PREFACE + frames.frame(frames.SETTINGS, 0, 0))
    writer.write(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, encode(fields)))
    writer.write(frames.frame(frames.DATA, frames.END_STREAM, 1, body))
    decoder, cut = Decoder(), frames.FrameReader()
    try:
        while data := await reader.read(65536):
            for kind, flags, _, payload in cut.feed(data):
                if kind == frames.HEADERS:
                    fields = dict(decoder.decode(payload, raw=True))
                    if flags & frames.END_STREAM:
                        return {k.decode(): v.decode() for k, v in fields.items()}
    finally:
        writer.transport.abort()
    raise EOFError


@pytest.mark.parametrize(
    ("changed", "body", "answer"),
    [
        ({}, FRAMED, {"grpc-status": "0"}),
        ({b":method": b"GET"}, b"", {":status": "405", "allow": "POST"}),
        ({b"content-type": b"application/json"}, b"{}", {":status": "415"}),
        ({b"content-type": b"application/grpcweb"}, b"{}", {":status": "415"}),
        ({b"content-type": b"application/grpc+proto"}, FRAMED, {"grpc-status": "0"}),
    ],
)
def test_a_request_that_is_not_grpc_is_refused_with_an_http_status(changed, body, answer):
    @in_loop
    async def check():
        async with serving(Echo()) as server:
            fields = list((dict(GRPC) | changed).items())
            assert await exchange(server, fields, body) == answer

    check()


@pytest.mark.parametrize(
    ("fields", "body", "status", "message"),
    [
        ([], b"", "12", "the method takes one message"),
        ([], FRAMED[:-1], "12", "the method takes one message"),
        ([], FRAMED * 2, "12", "the method takes one message"),
        ([], b"\2" + FRAMED[1:], "13", "a message begins with the flag 2"),
        ([], b"\1" + FRAMED[1:], "13", "a compressed message in a call without grpc-encoding"),
        ([(b"grpc-encoding", b"snappy")], FRAMED, "12", "grpc-encoding snappy is not supported"),
        (
            [(b"grpc-timeout", b"soon")],
            FRAMED,
            "3",
            "grpc-timeout is not a number and a unit: b'soon'",
        ),
        ([(b"k", b"v" * 17_000)], FRAMED, "8", "metadata of 17230 bytes, where 16384 are allowed"),
    ],
)
def test_an_invalid_call_is_refused_with_a_grpc_status(fields, body, status, message):
    @in_loop
    async def check():
        async with serving(Echo()) as server:
            answer = await exchange(server, GRPC + fields, body)
            assert (answer["grpc-status"], answer["grpc-message"]) == (status, message)

    check()


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_messages_compressed_in_transit_are_read(algorithm):
    @in_loop
    async def check():
        async with serving(Echo()) as server, insecure(server.address) as channel:
            for size in (100, 2**20):
                assert await ask(channel, "Say", "x" * size, compression=algorithm) == "x" * size

    check()


@in_loop
async def test_the_threaded_client_of_grpcio_is_served():
    async with serving(Echo()) as server:

        def call():
            with grpc.insecure_channel(server.address) as channel:
                say = channel.unary_unary(f"/{SERVICE}/Say")
                futures = [say.future(MESSAGE, timeout=15) for _ in range(200)]
                return {future.result() for future in futures}

        assert await asyncio.to_thread(call) == {MESSAGE}


@in_loop
async def test_concurrent_calls_get_their_own_answers():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        texts = [str(n) * (n * 37 % 5000) for n in range(300)]
        assert await asyncio.gather(*(ask(channel, "Say", text) for text in texts)) == texts


@in_loop
async def test_an_answer_larger_than_allowed_is_refused():
    options = GrpcServerOptions(channel_arguments={"grpc.max_send_message_length": 10})
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        answer = await refusal(channel, "Say", "longer than ten")
    assert answer == ("RESOURCE_EXHAUSTED", "Sent message larger than max (17 vs. 10)")


@in_loop
async def test_a_health_watcher_is_notified_when_the_server_stops():
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    options = GrpcServerOptions(health=True)
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:

        def watch(service):
            return channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                HealthCheckRequest.SerializeToString,
                HealthCheckResponse.FromString,
            )(HealthCheckRequest(service=service))

        known, unknown = watch("Echo"), watch("other")
        assert (await known.read()).status == HealthCheckResponse.SERVING
        assert (await unknown.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
        await server.stop(15)
        assert (await known.read()).status == HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await known.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@in_loop
async def test_reflection_answers_each_request_as_it_comes():
    from grpc_reflection.v1alpha.reflection_pb2 import (
        ServerReflectionRequest,
        ServerReflectionResponse,
    )

    async with serving(Echo()) as server, insecure(server.address) as channel:
        call = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            ServerReflectionRequest.SerializeToString,
            ServerReflectionResponse.FromString,
        )()
        for _ in range(3):
            await call.write(
                ServerReflectionRequest(file_containing_symbol=StringValue.DESCRIPTOR.full_name)
            )
            answer = await call.read()
            assert answer.file_descriptor_response.file_descriptor_proto
        await call.write(ServerReflectionRequest(file_containing_symbol="no.Such"))
        assert (await call.read()).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


@in_loop
async def test_a_client_that_leaves_a_stream_ends_its_work():
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    options = GrpcServerOptions(health=True)
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        call = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )(HealthCheckRequest(), timeout=1)
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await ask(channel, "Say", "x") == "x"
        await asyncio.gather(*server._state.running, return_exceptions=True)


@in_loop
async def test_invalid_channel_arguments_are_reported():
    options = GrpcServerOptions(channel_arguments={"grpc.max_concurrent_streams": 0})
    with pytest.raises(UserError, match="invalid grpc_channel_arguments"):
        await NativeGrpcServer(Echo(), options=options).start()
