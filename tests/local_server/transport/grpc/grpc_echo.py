"""A service of strings, the server that serves it, and its client: gRPC without TensorFlow."""

import asyncio
import functools
import threading
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import uvloop
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc.server import GrpcServer
from cloudserve.local_server.transport.grpc_http2.server import NativeGrpcServer
from cloudserve.local_server.transport.grpc_types import Method, Service
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "echo.Echo"
TRANSPORTS = {"grpcio": GrpcServer, "native": NativeGrpcServer}
chosen = "native"
"""The transport of `new_server`; the fixture `transport` sets it."""
PATIENCE = 20.0  # a test that passes never waits so long


def in_loop(test):
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(**fixtures):
        # The native transport is served on uvloop; asyncio's loop has the tests of `http2`.
        factory = uvloop.new_event_loop if chosen == "native" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test(**fixtures), PATIENCE))

    return run


class Echo:
    """Answers in the ways a face can; remembers its calls."""

    def __init__(self):
        self.calls = []
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.thread = None

    def services(self):
        self.thread = threading.current_thread()
        return [
            Service(
                SERVICE,
                {
                    "Say": Method(StringValue, self.say),
                    "Fail": Method(StringValue, self.fail),
                    "Break": Method(StringValue, self.break_down),
                    "Wait": Method(StringValue, self.wait),
                },
            )
        ]

    async def say(self, call, request):
        self.calls.append(call)
        return request

    async def fail(self, call, request):
        code, text = request.value.split(":", 1)
        raise StatusError(Code[code], text)

    async def break_down(self, call, request):
        raise ZeroDivisionError("a secret")

    async def wait(self, call, request):
        self.entered.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request


def new_server(app, host="127.0.0.1", port=0, options=None):
    return TRANSPORTS[chosen](app, host, port, options)


@asynccontextmanager
async def serving(app, host="127.0.0.1", port=0, options=None):
    server = new_server(app, host, port, options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.0)


def insecure(target):
    return grpc.aio.insecure_channel(
        target, options=[("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0)]
    )


async def ask(channel, method, value, **options):
    """Send a string, or bytes as they are, and return what is answered."""
    call = channel.unary_unary(f"/{SERVICE}/{method}")
    body = value if isinstance(value, bytes) else StringValue(value=value).SerializeToString()
    return StringValue.FromString(await call(body, **options)).value


async def refusal(channel, method, value, **options):
    """Return the code and text of a call that fails."""
    try:
        answer = await ask(channel, method, value, **options)
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details()
    raise AssertionError(answer)
