"""Requests of other sites' web pages are refused, those of programs are not."""

from __future__ import annotations

import logging

import pytest
from cloudserve.local_server.protocols.middleware.foreign import SameSite, Sites
from cloudserve.local_server.transport.types import Head, Request, Response
from hypothesis import given
from hypothesis import strategies as st

OWN = "127.0.0.1:8900"
NO_NAME = "The host {} is not a name of this server: --allow-host allows one."
A_PAGE = "A web page of {}, another site, sent this request: it is refused."


class Behind:
    def body_limit(self, head: Head) -> int | None:
        return 7

    def handle(self, request: Request) -> Response:
        return Response(200, b"behind")


def refuse(head: Head, status: int, message: str) -> Response:
    return Response(status, message.encode())


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", OWN, "127.8.9.1:1", "localhost", "LocalHost:8900", "localhost.:80"),
        *("bucket.localhost:8900", "a.b.localhost", "[::1]", "[::1]:8900", ""),
        *("mine.example:8900", "MINE.example", "1.us-central1-2.prediction.vertexai.goog"),
    ],
)
def test_names_of_the_server_are_answered(host):
    sites = Sites(("mine.example", ".prediction.vertexai.goog"))
    assert sites.problem({"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8900", "localhost.evil.example", "notlocalhost"),
        *("127.0.0.1.evil.example", "evil@localhost.com", "0.0.0.0:8900", "10.0.0.1"),
        *("[::]", "[::2]:8900", "127.1", "2130706433", "prediction.vertexai.goog.evil.example"),
        *("localhost:8900:1", "[::1", "\\xff", "localhost/evil", "models.evil.example"),
    ],
)
def test_other_names_are_refused(host):
    problem = Sites((".prediction.vertexai.goog",)).problem({"host": host})
    assert problem == NO_NAME.format(repr(host))


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"origin": "https://evil.example"}, "https://evil.example"),
        ({"origin": "http://localhost:3000"}, "http://localhost:3000"),
        ({"origin": "http://127.0.0.1"}, "http://127.0.0.1"),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, "null"),
        ({"origin": ""}, ""),
        ({"origin": f"http://{OWN}, http://evil.example"}, f"http://{OWN}, http://evil.example"),
    ],
)
def test_pages_of_other_sites_are_refused(headers, origin):
    for sites in (Sites(), Sites(checks_host=False)):
        assert sites.problem({"host": OWN, **headers}) == A_PAGE.format(repr(origin))


def test_a_page_without_an_origin_is_known_by_where_it_was_fetched_from():
    problem = Sites().problem({"host": OWN, "sec-fetch-site": "cross-site"})
    assert problem == "A web page of another site sent this request: it is refused."
    for site in ("same-origin", "same-site", "none"):
        assert Sites().problem({"host": OWN, "sec-fetch-site": site}) is None


def test_own_pages_and_allowed_ones_may_send():
    assert Sites().problem({"host": OWN, "origin": f"http://{OWN}"}) is None
    allowed = {"host": OWN, "origin": "https://mine.example:1", "sec-fetch-site": "cross-site"}
    assert Sites(("mine.example",)).problem(allowed) is None


def test_a_server_on_a_network_takes_any_host():
    assert Sites(checks_host=False).problem({"host": "models.example.com"}) is None


@given(st.text(max_size=30))
def test_no_host_is_taken_by_mistake(text):
    problem = Sites().problem({"host": f"{text}.example"})
    assert problem is not None
    assert "\n" not in problem


def test_a_refused_request_is_logged_and_its_body_is_not_read(caplog):
    caplog.set_level(logging.WARNING)
    app = SameSite(Behind(), Sites(), refuse)
    head = Head("POST", "/b", "key=secret", {"host": "evil.example"})
    sentence = NO_NAME.format("'evil.example'")
    assert app.body_limit(head) is None
    assert app.handle(Request(head)) == Response(403, sentence.encode())
    assert caplog.messages == [f"POST '/b' is refused: {sentence}"]
    fine = Head("POST", "/b", headers={"host": OWN})
    assert (app.body_limit(fine), app.handle(Request(fine)).body) == (7, b"behind")


def test_paths_that_are_not_guarded_are_anybodys():
    app = SameSite(Behind(), Sites(), refuse, lambda head: head.path == "/control")
    headers = {"host": "evil.example"}
    assert app.handle(Request(Head("POST", "/data", headers=headers))).status == 200
    assert app.handle(Request(Head("POST", "/control", headers=headers))).status == 403
