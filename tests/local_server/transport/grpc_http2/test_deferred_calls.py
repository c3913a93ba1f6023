"""Handlers that return a Deferred: answered without a task."""

import asyncio

import pytest
from cloudserve.local_server.deferred import Deferred
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.grpc_types import Method, Service
from cloudserve.local_server.transport.http2.wire import frames
from google.protobuf.wrappers_pb2 import StringValue

from ..grpc import grpc_echo
from ..grpc.grpc_echo import SERVICE, ask, in_loop, insecure, refusal, serving
from .raw_calls import message_of, raw_calls


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(grpc_echo, "chosen", "native")


class DeferredEcho:
    """Answers when `settle` is called, or immediately."""

    def __init__(self, *, immediately=False):
        self.immediately = immediately
        self.pending = []
        self.calls = []
        self.entered = asyncio.Event()

    def services(self):
        return [Service(SERVICE, {"Say": Method(StringValue, self.say)})]

    def say(self, call, request):
        deferred = Deferred()
        self.calls.append(call)
        self.pending.append((deferred, request))
        self.entered.set()
        if request.value == "raise":
            raise ZeroDivisionError("a secret")
        if self.immediately:
            self.settle()
        return deferred

    def settle(self, error=None):
        deferred, request = self.pending.pop(0)
        deferred.settle(error or request)


def start(channel, value, **options):
    return asyncio.ensure_future(ask(channel, "Say", value, **options))


@pytest.mark.parametrize("size", [0, 10, 5000, 3_000_000])
@pytest.mark.parametrize("immediately", [True, False])
def test_a_deferred_response_is_sent(size, immediately):
    @in_loop
    async def check():
        app = DeferredEcho(immediately=immediately)
        async with serving(app) as server, insecure(server.address) as channel:
            answer = start(channel, "x" * size)
            if not immediately:
                await app.entered.wait()
                app.settle()
            assert await answer == "x" * size
            assert server._state.memory.used == 0

    check()


@in_loop
async def test_the_error_of_a_deferred_response_is_the_status():
    app = DeferredEcho()
    async with serving(app) as server, insecure(server.address) as channel:
        answer = asyncio.ensure_future(refusal(channel, "Say", "x"))
        await app.entered.wait()
        app.settle(StatusError(Code.NOT_FOUND, "nothing here"))
        assert await answer == ("NOT_FOUND", "nothing here")


@in_loop
async def test_a_defect_is_internal_and_its_reason_stays_in_the_log(caplog):
    app = DeferredEcho()
    async with serving(app) as server, insecure(server.address) as channel:
        for value in ("raise", "x"):
            answer = asyncio.ensure_future(refusal(channel, "Say", value))
            await app.entered.wait()
            app.entered.clear()
            app.settle(ZeroDivisionError("a secret"))
            assert await answer == ("INTERNAL", "the server failed; its log says why")
    assert "a secret" in caplog.text
    caplog.clear()


@in_loop
async def test_a_late_response_is_discarded_after_the_deadline():
    app = DeferredEcho()
    async with serving(app) as server, raw_calls(server) as client:
        number = client.begin("Say", (b"grpc-timeout", b"100m"))
        client.send(number, message_of("x" * 9000), end=True)
        assert (await client.status(number))[0] == Code.DEADLINE_EXCEEDED
        assert app.pending[0][0].outcome.code is Code.DEADLINE_EXCEEDED
        app.settle()
        again = client.begin("Say")
        client.send(again, message_of("again"), end=True)
        await client.synchronize()
        app.settle()
        assert (await client.status(again))[0] == Code.OK
        assert client.data.keys() == {again}
        assert server._state.memory.used == 0


@in_loop
async def test_a_reset_call_cancels_its_handler():
    app = DeferredEcho()
    async with serving(app) as server, raw_calls(server) as client:
        client.send(client.begin("Say"), message_of("x" * 9000), end=True)
        client.write(frames.rst_stream(1, frames.ErrorCode.CANCEL))
        await client.synchronize()
        deferred, _ = app.pending[0]
        assert isinstance(deferred.outcome, asyncio.CancelledError)
        assert server._state.memory.used == 0


@in_loop
async def test_a_deferred_response_in_flight_is_sent_while_the_server_drains():
    app = DeferredEcho()
    async with serving(app) as server, insecure(server.address) as channel:
        answer = start(channel, "x")
        await app.entered.wait()
        stopped = asyncio.ensure_future(server.stop(15.0))
        await asyncio.sleep(0)
        app.settle()
        assert await answer == "x"
        await stopped


@in_loop
async def test_a_deferred_response_larger_than_allowed_is_refused():
    options = GrpcServerOptions(channel_arguments={"grpc.max_send_message_length": 10})
    app = DeferredEcho(immediately=True)
    async with serving(app, options=options) as server, insecure(server.address) as channel:
        answer = await refusal(channel, "Say", "longer than ten")
    assert answer == ("RESOURCE_EXHAUSTED", "Sent message larger than max (17 vs. 10)")
