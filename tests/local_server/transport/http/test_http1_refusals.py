"""Refused requests: their status, and the end of the connection."""

from __future__ import annotations

import json

import pytest

from ..conftest import CLOSE, App, echo

POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "no request line": b"hello\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a lower-case method": b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "line feeds alone": b"GET / HTTP/1.1\nHost: h\n\n",
    "a head ended by line feeds": b"GET / HTTP/1.1\r\nA: b\n\nGET /2 HTTP/1.1\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "an authority as target": b"GET a:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "another scheme": b"GET ftp://a/b HTTP/1.1\r\nHost: h\r\n\r\n",
    "both framings": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, turned": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "a length beside no encoding": POST
    + b"Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "two lengths in one": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "an empty length": POST + b"Content-Length:\r\n\r\nabc",
    "a length of 30 digits": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "an encoding like chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "HTTP/1.0 in chunks": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"x\r\nabc\r\n",
    "a chunk size with a sign": CHUNKED + b"+3\r\nabc\r\n",
    "a chunk size with a prefix": CHUNKED + b"0x3\r\nabc\r\n",
    "an empty chunk size": CHUNKED + b"\r\nabc\r\n",
    "an endless chunk size": CHUNKED + b"0" * 5000,
    "a chunk size ended by line feed": CHUNKED + b"3\nabc\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
}


def refused(serve, data: bytes, app=echo, **limits) -> tuple[int, str]:
    """Return status and message; the connection must have been closed after just that."""
    answer = serve(app, **limits).ask(data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert CLOSE in head + b"\r\n"
    assert b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) in head
    return int(head.split()[1]), json.loads(body)["error"]


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_requests_are_400(serve, data):
    status, message = refused(serve, data)
    assert status == 400
    assert message.startswith("malformed request: ")


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/2.0"])
def test_other_versions_are_505(serve, version):
    status, message = refused(serve, b"GET / " + version + b"\r\nHost: h\r\n\r\n")
    assert (status, message) == (505, "only HTTP/1.1 and HTTP/1.0 are spoken here")


def test_unimplemented_methods_and_transfer_encodings_are_501(serve):
    assert refused(serve, b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n")[0] == 501
    gzip = POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
    assert refused(serve, gzip) == (501, "the transfer encoding 'gzip, chunked' is not implemented")


@pytest.mark.parametrize("ended", [True, False])
def test_a_target_that_is_too_long_is_414_whether_it_ends_or_not(serve, ended):
    data = b"GET /" + b"a" * 20_000 + (b" HTTP/1.1\r\nHost: h\r\n\r\n" if ended else b"")
    assert refused(serve, data) == (414, "the request target is longer than 16384 bytes")


@pytest.mark.parametrize("ended", [True, False])
def test_a_head_that_is_too_large_is_431_whether_it_ends_or_not(serve, ended):
    data = b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 70_000 + (b"\r\n\r\n" if ended else b"")
    assert refused(serve, data) == (431, "the request's head is larger than 65536 bytes")


@pytest.mark.parametrize("header", [b"A%d: b\r\n", b"A: b%d\r\n"], ids=["names", "repeats"])
def test_too_many_headers_are_431(serve, header):
    lines = b"".join(header % i for i in range(300))
    status, message = refused(serve, b"GET / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n")
    assert (status, message) == (431, "the request has more than 256 headers")


def test_a_declared_body_past_its_limit_is_413_before_it_is_sent(serve):
    app = App(lambda _: pytest.fail("the application was asked"), limit=3)
    data = POST + b"Content-Length: 4\r\n\r\n"
    assert refused(serve, data, app) == (413, "the request body is larger than 3 bytes")


def test_a_chunked_body_past_its_limit_is_413(serve):
    app = App(lambda _: pytest.fail("the application was asked"), limit=3)
    data = CHUNKED + b"2\r\nab\r\n2\r\ncd\r\n"
    assert refused(serve, data, app) == (413, "the request body is larger than 3 bytes")


def test_trailers_without_end_are_431(serve):
    data = CHUNKED + b"0\r\n" + b"A: " + b"b" * 1000 + b"\r\n"
    status, message = refused(serve, data + (b"A: " + b"b" * 1000 + b"\r\n") * 20)
    assert (status, message) == (431, "the trailers are too large")


def test_a_client_that_sends_on_still_reads_its_refusal(serve):
    """A close with unread bytes would reset the connection, and the answer be lost with it."""
    running = serve(App(echo, limit=3))
    wire = running.connect()
    wire.send(POST + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
    assert wire.read_response().startswith(b"HTTP/1.1 413 Content Too Large\r\n")


def test_requests_before_a_malformed_one_are_answered(serve):
    answers = serve(echo).ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n")
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers.count(b"HTTP/1.1 400 Bad Request\r\n") == 1
