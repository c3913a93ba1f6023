"""Calls that a method's fast path answers: together, and like the handler to their clients."""

import asyncio
from dataclasses import dataclass

import pytest
from cloudserve.local_server.defects import DEFECTS
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.grpc_types import Method, Service, prefix
from cloudserve.local_server.transport.http2.wire import frames
from google.protobuf.wrappers_pb2 import StringValue

from ..grpc import grpc_echo
from ..grpc.grpc_echo import SERVICE, in_loop, serving
from .raw_calls import message_of, raw_calls

WIDE = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff")


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(grpc_echo, "chosen", "native")


@dataclass(frozen=True)
class Form:
    """A text that was recognized."""

    group: str
    text: str


class Shouts:
    """Shouts in its fast path, and whispers in its handler.

    The group of a text like "a: text" is "a". Other texts are not recognized; those of the group
    "shy" are for the handler, and those of "broken" show a defect.
    """

    def __init__(self, admit=None):
        self.groups = []
        self.admit = admit

    def services(self):
        method = Method(StringValue, self.whisper, self.admit, fast_path=self)
        return [Service(SERVICE, {"Say": method})]

    async def whisper(self, call, request):
        return StringValue(value=request.value.lower())

    def recognize(self, body):
        message = body[5:]
        if body[:5] != prefix(len(message)):
            return None
        group, colon, text = StringValue.FromString(message).value.partition(": ")
        return Form(group, text) if colon else None

    def answer(self, group, parts):
        if group == "shy":
            return [None] * len(parts)
        if group == "broken":
            raise ArithmeticError("a defect")
        texts = [form.text for form, _ in parts]
        self.groups.append((group, *texts))
        return [message_of(text.upper()) for text in texts]


async def ready(client):
    """Make a call, so that the server knows the head of the others."""
    client.send(client.begin("Say"), message_of("first"), end=True)
    assert (await client.status(1))[0] == Code.OK


def send(client, *texts, fields=()):
    """Send calls in one write; return their numbers."""
    numbers = [client.begin("Say", *fields) for _ in texts]
    for number, text in zip(numbers, texts, strict=True):
        client.send(number, message_of(text), end=True)
    return numbers


async def answers(client, numbers):
    """Return what was answered, or the status."""
    results = []
    for number in numbers:
        code, _ = await client.status(number)
        body = client.data.get(number, b"")
        results.append(StringValue.FromString(body[5:]).value if code == Code.OK else Code(code))
    return results


async def ask(app, *texts, fields=(), options=None):
    async with serving(app, options=options) as server, raw_calls(server, WIDE) as client:
        await ready(client)
        if fields:
            await answers(client, send(client, "a: Known", fields=fields))
            app.groups.clear()
        result = await answers(client, send(client, *texts, fields=fields))
        assert server._state.memory.used == 0
        return result


@in_loop
async def test_calls_of_a_group_are_answered_together_and_others_by_the_handler():
    app = Shouts()
    result = await ask(app, "a: One", "b: Two", "None", "a: Three", "shy: Four")
    assert result == ["ONE", "TWO", "none", "THREE", "shy: four"]
    assert app.groups == [("a", "One", "Three"), ("b", "Two")]


@in_loop
async def test_a_defect_of_the_fast_path_is_reported_and_the_handler_answers():
    kind = "the answers to small gRPC requests", "ArithmeticError"
    before = dict(DEFECTS.counts()).get(kind, 0)
    result = await ask(Shouts(), "broken: One", "a: Two", "broken: Three")
    assert result == ["broken: one", "TWO", "broken: three"]
    assert dict(DEFECTS.counts())[kind] > before


@pytest.mark.parametrize("size", [4_000, 5_000, 60_000])
def test_sizes_do_not_matter(size):
    @in_loop
    async def check():
        app = Shouts()
        assert await ask(app, f"a: {'x' * size}", "a: y") == ["X" * size, "Y"]
        assert app.groups

    check()


@in_loop
async def test_a_message_larger_than_64_kib_is_the_handlers():
    app = Shouts()
    assert await ask(app, f"a: {'X' * 65_600}", "a: y") == [f"a: {'x' * 65_600}", "Y"]
    assert app.groups == [("a", "y")]


@in_loop
async def test_calls_with_new_heads_or_bodies_in_parts_join_the_others():
    app = Shouts()
    async with serving(app) as server, raw_calls(server) as client:
        await ready(client)
        numbers = []
        for index, text in enumerate(["a: One", f"a: {'x' * 9_000}", "None", "shy: Four"]):
            number = client.begin("Say", (b"trace", b"%d" % index))
            body = message_of(text)
            client.send(number, body[:7])
            client.send(number, body[7:])
            client.send(number, b"", end=True)
            numbers.append(number)
        numbers += send(client, "a: Two")
        texts = await answers(client, numbers)
        assert texts == ["ONE", "X" * 9_000, "none", "shy: four", "TWO"]
        assert server._state.memory.used == 0
    assert sorted(map(len, app.groups)) in ([4], [2, 3])  # the first may be alone in its turn


@in_loop
async def test_a_call_in_parts_that_is_reset_is_dropped():
    app = Shouts()
    async with serving(app) as server, raw_calls(server) as client:
        await ready(client)
        send(client, "a: Other")
        number = client.begin("Say", (b"trace", b"1"))
        client.send(number, message_of(f"a: {'x' * 9_000}"), end=True)
        client.write(frames.rst_stream(number, frames.ErrorCode.CANCEL))
        await client.synchronize()
        assert server._state.memory.used == 0
    assert ("a", "Other") in app.groups
    assert "X" * 9_000 not in str(app.groups)


@pytest.mark.parametrize("argument", ["receive", "send"])
def test_a_message_larger_than_allowed_is_refused(argument):
    @in_loop
    async def check():
        arguments = {f"grpc.max_{argument}_message_length": 20}
        options = GrpcServerOptions(channel_arguments=arguments)
        result = await ask(Shouts(), "a: Short", f"a: {'x' * 20}", options=options)
        assert result == ["SHORT", Code.RESOURCE_EXHAUSTED]

    check()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.UNIMPLEMENTED),
        (b"\0\0\0", Code.UNIMPLEMENTED),
        (message_of("a: One") + b"\0", Code.UNIMPLEMENTED),
        (message_of("a: One") + message_of("a: Two"), Code.UNIMPLEMENTED),
        (message_of("a: One")[:-1], Code.UNIMPLEMENTED),
        (b"\1" + message_of("a: One")[1:], Code.INTERNAL),
        (b"\2" + message_of("a: One")[1:], Code.INTERNAL),
    ],
)
def test_other_bodies_are_refused_as_without_a_fast_path(body, code):
    @in_loop
    async def check():
        app = Shouts()
        async with serving(app) as server, raw_calls(server) as client:
            await ready(client)
            client.send(client.begin("Say"), body, end=True)
            assert (await client.status(3))[0] == code
        assert app.groups == []

    check()


@pytest.mark.parametrize(("timeout", "is_fast"), [(b"10S", True), (b"99m", False)])
def test_a_call_with_a_short_timeout_has_a_timer(timeout, is_fast):
    @in_loop
    async def check():
        app = Shouts()
        result = await ask(app, "a: One", fields=[(b"grpc-timeout", timeout)])
        assert result == ["ONE" if is_fast else "a: one"]

    check()


@in_loop
async def test_calls_are_admitted_first():
    def admit(call):
        if ("token", "right") not in call.metadata:
            raise StatusError(Code.UNAUTHENTICATED, "no token")

    app = Shouts(admit)
    async with serving(app) as server, raw_calls(server) as client:
        for token, expected in [(b"right", "ONE"), (b"wrong", Code.UNAUTHENTICATED)]:
            field = [(b"token", token)]
            await answers(client, send(client, "a: Known", fields=field))
            assert await answers(client, send(client, "a: One", fields=field)) == [expected]


@in_loop
async def test_a_call_that_is_reset_in_the_same_turn_is_dropped():
    app = Shouts()
    async with serving(app) as server, raw_calls(server) as client:
        await ready(client)
        numbers = send(client, "a: One", "a: Two", f"a: {'x' * 5_000}")
        client.write(frames.rst_stream(numbers[0], frames.ErrorCode.CANCEL))
        client.write(frames.rst_stream(numbers[2], frames.ErrorCode.CANCEL))
        assert await answers(client, numbers[1:2]) == ["TWO"]
        assert server._state.memory.used == 0
    assert app.groups == [("a", "Two")]


@in_loop
async def test_responses_wait_for_the_clients_window():
    app = Shouts()
    closed = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0")
    async with serving(app) as server, raw_calls(server, settings=closed) as client:
        client.send(client.begin("Say"), message_of("first"), end=True)
        client.write(frames.window_update(1, 100))
        await client.status(1)
        numbers = send(client, "a: One", "a: Two")
        await client.synchronize()
        assert [client.data.get(number) for number in numbers] == [None, None]
        for number in reversed(numbers):
            client.write(frames.window_update(number, 100))
        assert await answers(client, numbers) == ["ONE", "TWO"]


@in_loop
async def test_calls_in_flight_are_answered_while_the_server_drains():
    app = Shouts()
    async with serving(app) as server, raw_calls(server) as client:
        await ready(client)
        numbers = send(client, "a: One")
        stopped = asyncio.ensure_future(server.stop(15.0))
        assert await answers(client, numbers) in (["ONE"], ["a: one"])
        client.writer.close()
        await stopped
