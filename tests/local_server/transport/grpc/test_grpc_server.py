"""The gRPC transport over real sockets: calls, failures, deadlines, start and stop."""

import asyncio
import logging
import socket
import threading

import grpc
import pytest
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc import server
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions

from cloudserve.errors import UserError

from .grpc_echo import SERVICE, Echo, ask, in_loop, insecure, new_server, refusal, serving

pytestmark = pytest.mark.usefixtures("transport")

# Calls.


@in_loop
async def test_a_message_goes_in_and_a_message_comes_out():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        assert await ask(channel, "Say", "hello") == "hello"


@in_loop
async def test_a_handler_sees_the_method_the_metadata_the_deadline_and_the_peer():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        metadata = (("k", "1"), ("k", "2"), ("k-bin", b"\xff"))
        await ask(channel, "Say", "hello", metadata=metadata, timeout=15)
        await ask(channel, "Say", "hello")
    timed, endless = app.calls
    assert timed.method == f"/{SERVICE}/Say"
    assert [pair for pair in timed.metadata if pair[0].startswith("k")] == list(metadata)
    assert 0 < timed.deadline_seconds < 16  # on the wire gRPC rounds up, by a hundredth at most
    assert timed.peer.startswith("ipv4:127.0.0.1:")
    assert endless.deadline_seconds is None


@in_loop
async def test_messages_of_16_mib_pass_both_ways():
    text = "x" * 2**24
    async with serving(Echo()) as server, insecure(server.address) as channel:
        assert await ask(channel, "Say", text) == text


@in_loop
async def test_the_services_are_made_by_a_thread_so_that_imports_keep_the_loop_free():
    app = Echo()
    async with serving(app):
        assert app.thread is not threading.current_thread()


# Failures.


@in_loop
async def test_a_status_is_answered_as_it_is():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        for code in grpc.StatusCode:
            if code is not grpc.StatusCode.OK:
                answer = await refusal(channel, "Fail", f"{code.name}:why é\n\t so")
                assert answer == (code.name, "why é\n\t so")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1024 + "...TRUNCATED"),
        ("x" + "é" * 512, "x" + "é" * 511 + "...TRUNCATED"),
    ],
)
def test_an_error_text_is_cut_at_1024_bytes_between_characters(text, sent):
    @in_loop
    async def check():
        async with serving(Echo()) as server, insecure(server.address) as channel:
            assert await refusal(channel, "Fail", f"ABORTED:{text}") == ("ABORTED", sent)

    check()


@in_loop
async def test_bytes_that_are_no_message_are_the_clients_fault():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        code, text = await refusal(channel, "Say", b"\xff\xff\xff")
        assert code == "INVALID_ARGUMENT"
        assert text.startswith("the request is not a google.protobuf.StringValue: ")
        assert await ask(channel, "Say", "and the connection lives") == "and the connection lives"
    assert len(app.calls) == 1


@in_loop
async def test_a_defect_is_internal_and_its_reason_stays_in_the_log(caplog):
    caplog.set_level(logging.ERROR)
    async with serving(Echo()) as server, insecure(server.address) as channel:
        answer = await refusal(channel, "Break", "x")
    assert answer == ("INTERNAL", "the server failed; its log says why")
    assert "/echo.Echo/Break failed" in caplog.text
    assert "a secret" in caplog.text


@in_loop
async def test_a_method_that_does_not_exist_is_unimplemented():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        assert (await refusal(channel, "Sing", "x"))[0] == "UNIMPLEMENTED"


@in_loop
async def test_clients_that_speak_something_else_leave_the_others_served(caplog):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    said = [b"", b"GET / HTTP/1.1\r\n\r\n", preface + b"\xff" * 99, b"\x16\x03\x01", b"\0" * 999]
    async with serving(Echo()) as server, insecure(server.address) as channel:
        for data in said:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            await writer.drain()
            assert await ask(channel, "Say", "and I am served") == "and I am served"
            writer.transport.abort()
        assert await ask(channel, "Say", "still") == "still"
    assert not caplog.records


@in_loop
async def test_a_message_that_is_cut_or_longer_than_it_says_never_reaches_a_handler():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        for body in (b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x03\xff\xfe\xfd"):
            assert (await refusal(channel, "Say", body))[0] == "INVALID_ARGUMENT"
    assert not app.calls


# Deadlines.


@in_loop
async def test_work_ends_when_its_deadline_has_passed():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        code, _ = await refusal(channel, "Wait", "x", timeout=0.2)
        assert code == "DEADLINE_EXCEEDED"
        await app.cancelled.wait()


@in_loop
async def test_work_ends_when_its_client_leaves():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        running = asyncio.create_task(ask(channel, "Wait", "x"))
        await app.entered.wait()
        running.cancel()
        await app.cancelled.wait()


# Where it listens.


@in_loop
async def test_a_port_in_use_is_reported_and_shared_with_nobody():
    async with serving(Echo()) as server:
        with pytest.raises(UserError, match=f"cannot listen for gRPC on {server.address}"):
            await new_server(Echo(), port=server.port).start()


@pytest.mark.parametrize("port", [-1, 65536 + 8500])
@in_loop
async def test_a_number_that_is_not_a_port_is_reported(port):
    with pytest.raises(UserError, match=f"cannot listen for gRPC on 127.0.0.1:{port}"):
        await new_server(Echo(), port=port).start()


@in_loop
async def test_a_port_taken_by_anything_else_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = new_server(Echo(), port=other.getsockname()[1])
        with pytest.raises(UserError, match="cannot listen for gRPC on"):
            await server.start()
        assert server.port == 0


@in_loop
async def test_a_server_is_started_once():
    async with serving(Echo()) as server:
        with pytest.raises(RuntimeError, match="started already"):
            await server.start()


@in_loop
async def test_a_server_that_did_not_start_stops_quietly():
    await new_server(Echo()).stop()


@in_loop
async def test_a_unix_socket_serves_beside_the_port(tmp_path):
    path = tmp_path / "s"
    async with (
        serving(Echo(), options=GrpcServerOptions(socket_path=path)) as server,
        insecure(f"unix:{path}") as local,
        insecure(server.address) as remote,
    ):
        assert await ask(local, "Say", "near") == "near"
        assert await ask(remote, "Say", "far") == "far"


@in_loop
async def test_a_unix_socket_can_be_all_there_is_and_takes_the_place_of_a_dead_one(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    options = GrpcServerOptions(socket_path=path)
    async with serving(Echo(), port=None, options=options) as server:
        assert server.port == 0
        async with insecure(f"unix:{path}") as channel:
            assert await ask(channel, "Say", "x") == "x"


@in_loop
async def test_a_file_where_the_socket_should_be_is_kept_and_reported(tmp_path):
    path = tmp_path / "s"
    path.write_text("mine")
    server = new_server(Echo(), options=GrpcServerOptions(socket_path=path))
    with pytest.raises(UserError, match="this is not a socket"):
        await server.start()
    assert path.read_text() == "mine"
    assert server.port == 0


# Stop.


@in_loop
async def test_a_call_in_flight_ends_well_while_new_ones_are_refused():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        running = asyncio.create_task(ask(channel, "Wait", "x"))
        await app.entered.wait()
        stopping = asyncio.create_task(server.stop(15))
        while await refusal_or_none(server) is None:
            assert not stopping.done()
        assert (await refusal(channel, "Say", "on the same channel"))[0] == "UNAVAILABLE"
        app.go_on.set()
        assert await running == "x"
        await stopping
        assert not app.cancelled.is_set()


async def refusal_or_none(server):
    async with insecure(server.address) as channel:
        try:
            await ask(channel, "Say", "x", timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code()


@in_loop
async def test_calls_are_cancelled_after_the_time_to_drain():
    app = Echo()
    async with serving(app) as server, insecure(server.address) as channel:
        running = asyncio.create_task(refusal(channel, "Wait", "x"))
        await app.entered.wait()
        await server.stop(0.05)
        assert (await running)[0] in {"UNAVAILABLE", "CANCELLED"}
        assert app.cancelled.is_set()


@in_loop
async def test_a_socket_goes_with_its_server(tmp_path):
    path = tmp_path / "s"
    async with serving(Echo(), options=GrpcServerOptions(socket_path=path)):
        assert path.is_socket()
    assert not path.exists()


# What comes along.


async def health(channel, service):
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    call = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        HealthCheckRequest.SerializeToString,
        HealthCheckResponse.FromString,
    )
    answer = await call(HealthCheckRequest(service=service))
    return HealthCheckResponse.ServingStatus.Name(answer.status)


@in_loop
async def test_health_is_reported_for_the_server_and_each_service():
    options = GrpcServerOptions(health=True)
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        # TensorFlow Serving knows its services by their last names, `PredictionService`.
        for name in ("", SERVICE, "Echo"):
            assert await health(channel, name) == "SERVING"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(channel, "other")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert caught.value.details() == "service name unknown"


@in_loop
async def test_without_its_option_health_is_not_reported():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(channel, "")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def reflected(channel):
    from grpc_reflection.v1alpha.reflection_pb2 import (
        ServerReflectionRequest,
        ServerReflectionResponse,
    )

    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )([ServerReflectionRequest(list_services="")], metadata=(("k", "v"),))
    return [s.name async for answer in call for s in answer.list_services_response.service]


@in_loop
async def test_reflection_lists_the_services():
    async with serving(Echo()) as server, insecure(server.address) as channel:
        listed = await reflected(channel)
    assert sorted(listed) == [SERVICE, "grpc.reflection.v1alpha.ServerReflection"]


@in_loop
async def test_reflection_answers_calls_that_are_let_in_and_no_others():
    calls = []

    def admit(call):
        calls.append(call)
        if len(calls) > 1:
            raise StatusError(Code.UNAUTHENTICATED, "not again")

    options = GrpcServerOptions(admit=admit)
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        assert SERVICE in await reflected(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflected(channel)
    assert (caught.value.code().name, caught.value.details()) == ("UNAUTHENTICATED", "not again")
    assert ("k", "v") in calls[0].metadata
    assert calls[0].method == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@in_loop
async def test_channel_arguments_go_before_the_servers_own():
    options = GrpcServerOptions(channel_arguments={"grpc.max_receive_message_length": 10})
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        assert await ask(channel, "Say", "short") == "short"
        code, _ = await refusal(channel, "Say", "longer than ten bytes")
    assert code == "RESOURCE_EXHAUSTED"


def test_a_message_has_512_mib_at_most_where_no_argument_says_otherwise():
    assert server._ARGUMENTS["grpc.max_receive_message_length"] == 512 * 2**20


@in_loop
async def test_a_message_compressed_in_transit_is_not_unfolded_beyond_the_limit():
    options = GrpcServerOptions(channel_arguments={"grpc.max_receive_message_length": 2**20})
    async with serving(Echo(), options=options) as server, insecure(server.address) as channel:
        gzip = grpc.Compression.Gzip
        assert await ask(channel, "Say", "x" * 2**19, compression=gzip) == "x" * 2**19
        refused = await refusal(channel, "Say", "x" * 2**24, compression=gzip)
    assert refused == ("RESOURCE_EXHAUSTED", "Decompressed message larger than max")
