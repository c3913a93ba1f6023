"""Heads that a client repeats: parsed once, answered like any other, with others of their turn."""

import socket
from dataclasses import dataclass, field
from itertools import chain

import pytest
from cloudserve.local_server.defects import DEFECTS
from cloudserve.local_server.transport.http.known_heads import KnownHeads
from cloudserve.local_server.transport.http.request_parser import RequestParser
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.types import Response

from ..conftest import CLOSE, App, echo, ok


@dataclass
class TurnApp(App):
    """An application that answers requests to /together together, but those with "alone"."""

    turns: list = field(default_factory=list)
    fails: bool = False

    def together(self, head):
        return self._answer if head.path == "/together" else None

    def _answer(self, requests):
        self.turns.append([request.content for request in requests])
        if self.fails:
            raise ValueError("a defect")
        return [
            None if request.content == b"alone" else Response(200, b"together", "text/plain")
            for request in requests
        ]


def post(path, body, *lines):
    head = b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % (path, len(body))
    return head + b"".join(lines) + b"\r\n" + body


def parse(*segments):
    """Return the messages of a connection's segments, one of which is one head."""
    heads = KnownHeads(App(echo))
    parser = RequestParser(Limits(), heads)
    return heads, [parser.feed(segment)[0] for segment in segments]


def test_a_repeated_head_is_not_parsed_again():
    _, (first, same, other) = parse(post(b"/", b"a"), post(b"/", b"b"), post(b"/x", b"a"))
    assert same is first
    assert (first.head.path, other.head.path) == ("/", "/x")


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"Cookie: " + b"a" * 2048 + b"\r\n",
    ],
)
def test_a_head_that_asks_for_something_special_is_parsed_each_time(line):
    _, (first, same) = parse(post(b"/", b"a", line), post(b"/", b"a", line))
    assert same is not first
    assert same == first


def test_a_head_in_pieces_is_not_mixed_up_with_a_known_one():
    request = post(b"/", b"a")
    _, messages = parse(request, b"POST /x HTTP/1.1\r\nA: ", request, request)
    first, none, pieces, last = messages
    assert none is None
    assert last is first
    assert (pieces.head.path, pieces.head.headers["a"]) == ("/x", "POST / HTTP/1.1")


def test_a_client_of_ever_new_heads_takes_a_bounded_amount_of_memory():
    heads, _ = parse(*(post(b"/%d" % number, b"") for number in range(2000)))
    assert len(heads._heads) <= 512


def test_known_heads_are_answered_in_whatever_pieces_their_requests_arrive(serve):
    app = TurnApp(echo)
    wire = serve(app).connect()
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = post(b"/together", b"12345")
    for pieces in ([request], [request[:-3], request[-3:]], [request[:-5], request[-5:]]):
        for piece in pieces:
            wire.send(piece)
        assert wire.read_response() == ok(b"together")
    assert app.turns == [[b"12345"]] * 3
    wire.send(request[:20])
    wire.send(request[20:])  # if these are two segments, the head is not looked up
    assert wire.read_response() in {ok(b"together"), ok(b"POST /together b'12345'")}


def test_pipelined_requests_of_known_heads_are_answered_in_order(serve):
    app = TurnApp(echo)
    running = serve(app)
    bodies = [b"one", b"alone", b"two"]
    requests = b"".join(post(b"/together", body) for body in bodies)
    last = post(b"/", b"last", b"Connection: close\r\n")
    answers = [ok(b"together"), ok(b"POST /together b'alone'"), ok(b"together")]
    for _ in range(2):
        assert running.ask(requests + last) == b"".join(answers) + ok(b"POST / b'last'", CLOSE)
    assert app.turns == [[b"one"], [b"alone"], [b"two"]] * 2


def test_requests_of_one_turn_are_answered_in_one_call(serve):
    app = TurnApp(echo)
    running = serve(app)
    wires = [running.connect() for _ in range(5)]
    for wire in wires:  # known and accepted from here on
        wire.send(post(b"/together", b"first"))
        assert wire.read_response() == ok(b"together")
    app.turns.clear()

    async def send():  # in the loop's thread: it reads none before all are sent
        for number, wire in enumerate(wires):
            wire.send(post(b"/together", b"alone" if number == 2 else b"%d" % number))

    running.run(send())
    answers = [wire.read_response() for wire in wires]
    expected = [ok(b"together")] * 5
    expected[2] = ok(b"POST /together b'alone'")
    assert answers == expected
    assert sorted(chain(*app.turns)) == [b"0", b"1", b"3", b"4", b"alone"]
    assert len(app.turns) < 5


def test_requests_whose_function_fails_are_handled_by_themselves(serve, caplog):
    kind = "the answers to small REST requests", "ValueError"
    before = dict(DEFECTS.counts()).get(kind, 0)
    app = TurnApp(echo, fails=True)
    wire = serve(app).connect()
    wire.send(post(b"/together", b"1"))
    assert wire.read_response() == ok(b"POST /together b'1'")
    assert dict(DEFECTS.counts())[kind] == before + 1
    caplog.clear()  # the first of the process is logged
