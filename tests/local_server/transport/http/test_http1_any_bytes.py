"""For any bytes in any segments: the same answers, no crash, no connection left behind."""

from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.transport.types import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import App, echo, undated

BUILT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIPELINE = (
    b"\r\nGET /1?q HTTP/1.1\r\nHost: h\r\nA: 1\r\na: 2\r\n\r\n"
    b"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nGET / HTTP"
    b"HEAD http://x/3 HTTP/1.1\r\nHost: h\r\n\r\n"
    b"PUT /4 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
    b"POST /5 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 2\r\n\r\nxy"
)
LAST = {
    "close": b"GET /6 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n",
    "malformed": b"GET /6 HTTP/1.1\r\nHost: h\r\nA b\r\n\r\n",
    "smuggled": b"POST /6 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    "too large": b"POST /6 HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n",
    "bad chunk": b"PUT /6 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
}


async def echo_streamed(request):
    content = await request.stream.read(1 << 20)
    return Response(200, content, "text/plain")


APPS = {
    "at once": App(echo),
    "streamed": App(echo_streamed, limit=None),
    "unread": App(lambda _: Response(200, b"unread"), limit=None),
}


async def exchange(port: int, segments: list[bytes], *, end: bool = True) -> bytes:
    """Send segments with the server's turn between them; return all until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for segment in segments:
            writer.write(segment)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def comparable(answers: bytes) -> bytes:
    """Drop dates, and invitations: whether one is needed depends on what has come already."""
    return undated(answers).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")


@pytest.mark.parametrize("last", LAST.values(), ids=LAST.keys())
@pytest.mark.parametrize("app", APPS.values(), ids=APPS.keys())
def test_answers_do_not_depend_on_how_a_request_is_split(serve, app, last):
    running = serve(app)
    # Unread, an expectation closes: what follows it is then never read.
    data = PIPELINE + last
    whole = running.run(exchange(running.port, [data], end=False))

    @BUILT
    @given(st.lists(st.integers(0, len(data)), max_size=12))
    def check(cuts):
        answers = running.run(exchange(running.port, split(data, cuts), end=False))
        assert comparable(answers) == comparable(whole)

    check()
    for size in (1, 2, 3, 7):
        segments = [data[at : at + size] for at in range(0, len(data), size)]
        answers = running.run(exchange(running.port, segments, end=False))
        assert comparable(answers) == comparable(whole)
    assert running.settle() == 0


WORDS = [
    *(b"GET", b"POST", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\n", b":", b"\0", b"5", b"\xff"),
    *(b"Host: h\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"0\r\n\r\n"),
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
]
garbage = st.lists(st.binary(max_size=30) | st.sampled_from(WORDS), max_size=30)


@pytest.mark.parametrize("app", APPS.values(), ids=APPS.keys())
def test_any_bytes_are_survived_and_leave_no_connection(serve, caplog, app):
    running = serve(app)

    @BUILT
    @given(garbage)
    def check(segments):
        answers = running.run(exchange(running.port, segments))
        assert answers == b"" or answers.startswith(b"HTTP/1.1 ")
        assert running.settle() == 0

    check()
    assert running.run(exchange(running.port, [b"GET / HTTP/1.0\r\n\r\n"])).startswith(
        b"HTTP/1.1 200 OK\r\n"
    )
    assert not caplog.records
