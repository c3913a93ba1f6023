"""The bound on the memory of messages: incomplete, decompressed, in work, or not read."""

import gzip
import zlib
from contextlib import AsyncExitStack

import pytest
from cloudserve.local_server.status import StatusError
from cloudserve.local_server.transport.grpc_http2.message_memory import (
    MessageMemory,
    inflated_size,
)
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.http2 import limits
from cloudserve.local_server.transport.http2.memory import Memory
from cloudserve.local_server.transport.http2.wire import frames
from hypothesis import given
from hypothesis import strategies as st

from ..grpc import grpc_echo
from ..grpc.grpc_echo import Echo, in_loop, serving
from .raw_calls import message_of, raw_calls

FULL = (8, "the messages of all calls take more memory than this server allows")
WHOLE = message_of("x" * 60_000)
HALF = WHOLE[:30_000]
ZERO_WINDOW = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0")


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(grpc_echo, "chosen", "native")
    # Half of it is for messages.
    monkeypatch.setattr(limits, "machine_memory", lambda: 200_000)


@in_loop
async def test_incomplete_messages_of_a_connection_are_bounded():
    async with serving(Echo()) as server, raw_calls(server) as client:
        numbers = [client.begin("Say") for _ in range(4)]
        for number in numbers:
            client.send(number, HALF)
        assert await client.status(numbers[3]) == FULL
        # The others end, and make room.
        for number in numbers[:3]:
            client.send(number, WHOLE[30_000:], end=True)
        statuses = [await client.status(number) for number in numbers[:3]]
        assert (0, "") in statuses
        assert set(statuses) <= {(0, ""), FULL}
        again = client.begin("Say")
        client.send(again, WHOLE, end=True)
        assert await client.status(again) == (0, "")
        assert server._state.memory.used == 0


@in_loop
async def test_incomplete_messages_of_all_connections_are_bounded():
    async with serving(Echo()) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw_calls(server)) for _ in range(4)]
        for client in clients[:3]:
            client.send(client.begin("Say"), HALF)
            await client.synchronize()
        clients[3].send(clients[3].begin("Say"), HALF)
        assert await clients[3].status(1) == FULL
        # A lost connection makes room.
        clients[0].writer.transport.abort()
        while server.connections > 3:
            await clients[1].synchronize()
        clients[3].send(clients[3].begin("Say"), WHOLE[:1], end=False)
        clients[3].send(3, WHOLE[1:30_000])
        await clients[3].synchronize()
        assert 3 not in clients[3].ended


@in_loop
async def test_a_refused_call_ignores_the_rest_of_its_message():
    async with serving(Echo()) as server, raw_calls(server) as client:
        number = client.begin("Say")
        client.send(number, b"\0" + (200_000).to_bytes(4, "big") + b"x" * 150_000)
        assert await client.status(number) == FULL
        client.send(number, b"x" * 50_000)
        await client.synchronize()
        assert server._state.memory.used == 0


@in_loop
async def test_a_cancelled_call_releases_its_message():
    app = Echo()
    async with serving(app) as server, raw_calls(server) as client:
        waiting, partial = client.begin("Wait"), client.begin("Say")
        client.send(waiting, WHOLE, end=True)
        client.send(partial, HALF)
        await app.entered.wait()
        assert server._state.memory.used >= len(WHOLE)
        for number in (waiting, partial):
            client.write(frames.rst_stream(number, frames.ErrorCode.CANCEL))
        await client.synchronize()
        await app.cancelled.wait()
        assert server._state.memory.used == 0


@in_loop
async def test_responses_that_are_not_read_are_bounded():
    async with serving(Echo()) as server, raw_calls(server, ZERO_WINDOW) as client:
        client.send(client.begin("Say"), WHOLE, end=True)
        await client.synchronize()
        while 1 not in client.headers:
            await client.receive()
        client.send(client.begin("Say"), WHOLE, end=True)
        assert await client.status(3) == FULL
        client.write(frames.window_update(1, 100_000))
        assert await client.status(1) == (0, "")
        await client.synchronize()
        assert server._state.memory.used == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_message_that_decompresses_to_more_than_the_memory_is_refused(encoding):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    bomb = pack(message_of("x" * 10_000_000)[5:])
    body = b"\1" + len(bomb).to_bytes(4, "big") + bomb

    @in_loop
    async def check():
        async with serving(Echo()) as server, raw_calls(server) as client:
            number = client.begin("Say", (b"grpc-encoding", encoding.encode()))
            client.send(number, body, end=True)
            assert await client.status(number) == FULL
            assert server._state.memory.used == 0

    check()


@in_loop
async def test_queued_requests_of_a_stream_are_bounded():
    options = GrpcServerOptions(health=True)
    async with serving(Echo(), options=options) as server, raw_calls(server) as client:
        number = client.begin("/grpc.health.v1.Health/Watch")
        client.send(number, b"\0\0\0\0\0" * 2000)  # empty messages
        assert await client.status(number) == FULL
        await client.synchronize()
        assert server._state.memory.used == 0


@given(size=st.integers(0, 5000))
def test_gzip_declares_its_size_and_deflate_has_a_largest_ratio(size):
    data = b"\0" * size
    assert inflated_size(b"gzip", gzip.compress(data), 10_000) == size
    assert inflated_size(b"deflate", zlib.compress(data), 10_000_000) >= size


def test_gzip_of_more_than_a_message_may_have_is_refused():
    with pytest.raises(StatusError, match="Decompressed message larger than max"):
        inflated_size(b"gzip", gzip.compress(b"\0" * 101), 100)


def test_the_memory_of_a_connection_is_a_share_of_the_servers():
    server = Memory(100)
    first, second = Memory(80, server), Memory(80, server)
    assert first.take(80)
    assert not first.take(1)
    assert not second.take(21)
    assert second.take(20)
    assert (first.used, second.used, server.used) == (80, 20, 100)
    first.give_back(80)
    assert second.take(60)


def test_a_call_releases_no_more_than_it_holds():
    memory = Memory(10)
    call = MessageMemory(memory)
    call.hold(4)
    call.release(7)
    call.release()
    assert (call.held, memory.used) == (0, 0)
