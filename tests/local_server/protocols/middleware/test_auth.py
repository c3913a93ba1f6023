"""Authentication in front of HTTP and gRPC: admitted and refused requests, and health checks."""

import asyncio
import http.client
import json
import logging
import threading

import grpc
import grpc.aio
import pytest
from cloudserve.local_server.protocols.middleware.auth import AuthorizedGrpc, AuthorizedHttp
from cloudserve.local_server.protocols.middleware.tokens import Tokens
from cloudserve.local_server.transport.grpc.server import GrpcServer
from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.grpc_types import Method, Service
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.types import Head, Request, Response
from google.protobuf.wrappers_pb2 import StringValue

PATIENCE = 20.0
SECRET = "s3cret-token"
NEEDED = "A token is needed: send it as `Authorization: Bearer TOKEN`"
WRONG = "The token is not one of this server's"
SHOWN = {"Authorization": f"Bearer {SECRET}"}


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(SECRET)
    path.chmod(0o600)
    return Tokens(path)


class App:
    """Answers with what it was asked, bodies included; counts its calls."""

    def __init__(self, limit=1000):
        self.limit = limit
        self.calls = self.turns = 0

    def body_limit(self, head):
        return self.limit

    def together(self, head):
        return self._answer_all if head.path == "/together" else None

    def _answer_all(self, requests):
        self.turns += 1
        return [self.handle(request) for request in requests]

    def handle(self, request):
        self.calls += 1
        return Response(200, request.head.target.encode() + b" " + request.content, "text/plain")


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def app():
    return App()


@pytest.fixture
def connection(loop, tokens, app):
    """Give a client of a server that wants a token."""
    server = HttpServer(AuthorizedHttp(tokens, app))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    yield client
    client.close()
    asyncio.run_coroutine_threadsafe(server.stop(PATIENCE), loop).result(PATIENCE)


def ask(connection, method, target, body=None, headers=()):
    connection.request(method, target, body, dict(headers))
    response = connection.getresponse()
    return response.status, response.headers, response.read()


# HTTP.


def test_a_request_with_a_token_is_answered_by_the_application(connection):
    for _ in range(2):
        status, _, body = ask(connection, "POST", "/v1/models/m:predict", b"body", SHOWN)
        assert (status, body) == (200, b"/v1/models/m:predict body")


@pytest.mark.parametrize(
    ("headers", "message", "challenge"),
    [
        ({}, NEEDED, "Bearer"),
        ({"Authorization": "Bearer wrong"}, WRONG, 'Bearer error="invalid_token"'),
        ({"Authorization": f"Basic {SECRET}"}, WRONG, 'Bearer error="invalid_token"'),
        ({"Authorization": SECRET}, WRONG, 'Bearer error="invalid_token"'),
    ],
)
def test_without_a_right_one_it_is_refused_with_a_challenge_in_tensorflow_servings_form(
    connection, app, headers, message, challenge
):
    status, answered, body = ask(connection, "POST", "/v1/models/m:predict", b"body", headers)
    assert status == 401
    assert answered["WWW-Authenticate"] == challenge
    assert answered["Content-Type"] == "application/json"
    assert json.loads(body) == {"error": message}
    assert app.calls == 0


def test_requests_of_a_turn_need_a_token_that_is_valid_then(connection, tokens, app, monkeypatch):
    expected = 200, b"/together body"
    for headers in (SHOWN, SHOWN, {}, {"Authorization": "Bearer wrong"}):
        status, _, body = ask(connection, "POST", "/together", b"body", headers)
        assert (status, body) == expected if headers is SHOWN else status == 401
    assert (app.calls, app.turns) == (2, 2)
    monkeypatch.setattr(tokens, "allow", lambda _shown: False)
    status, _, body = ask(connection, "POST", "/together", b"body", SHOWN)
    assert (status, json.loads(body)) == (401, {"error": WRONG})
    assert app.calls == 2


def test_a_token_in_the_query_does_not_count(connection):
    assert ask(connection, "GET", f"/v1/models/m?access_token={SECRET}")[0] == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
def test_probes_of_the_servers_health_need_no_token(connection, method, target):
    assert ask(connection, method, target)[0] == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/healthz"),
        ("GET", "/healthz?x"),
        ("GET", "/healthz/../v1/models/m"),
        ("GET", "/healthz%2f"),
        ("GET", "//healthz"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/m"),
        ("DELETE", "/v1/models/m"),
        ("GET", "/monitoring/prometheus/metrics"),
        ("GET", "/"),
    ],
)
def test_nothing_else_is_open(connection, app, method, target):
    assert ask(connection, method, target)[0] == 401
    assert app.calls == 0


def test_a_preflight_shows_no_token_and_needs_none(connection):
    assert ask(connection, "OPTIONS", "/v1/models/m:predict")[0] == 200
    assert ask(connection, "OPTIONS", "/v1/models/m:predict", b"a body")[0] == 413


def test_a_refusal_comes_before_the_body_which_is_not_asked_for(connection, app):
    connection.putrequest("POST", "/v1/models/m:predict")
    connection.putheader("Content-Length", str(2**40))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 401
    assert response.headers["Connection"] == "close"
    assert app.calls == 0


def test_a_body_beyond_the_applications_limit_is_413_with_a_token_and_401_without(connection):
    body = b"x" * 1001
    assert ask(connection, "POST", "/", body)[0] == 401
    assert ask(connection, "POST", "/", body, SHOWN)[0] == 413


def test_a_refused_request_leaves_the_connection_to_the_next(connection):
    assert ask(connection, "POST", "/", b"body")[0] == 401
    assert ask(connection, "POST", "/", b"body", SHOWN)[2] == b"/ body"


def test_neither_tokens_nor_credentials_reach_the_log(connection, caplog):
    caplog.set_level(logging.DEBUG)
    for word in (SECRET, "wrong-secret"):
        ask(connection, "POST", "/", b"", {"Authorization": f"Bearer {word}"})
        assert word not in caplog.text


def test_a_token_that_becomes_right_while_its_body_comes_is_refused_not_half_answered(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("old-token")
    path.chmod(0o600)
    clock, app = Clock(), App()
    front = AuthorizedHttp(Tokens(path, clock), app)
    head = Head("POST", "/", "", {"authorization": f"Bearer {SECRET}"})
    assert front.body_limit(head) is None
    path.write_text(SECRET)
    clock.time = 1.0
    assert front.handle(Request(head, stream=object())).status == 401
    assert front.body_limit(head) == 1000
    assert front.handle(Request(head, b"body")).body == b"/ body"


def test_an_application_that_streams_its_bodies_still_does(tokens):
    front = AuthorizedHttp(tokens, App(limit=None))
    head = Head("POST", "/", "", {"authorization": f"Bearer {SECRET}"})
    assert front.body_limit(head) is None
    assert front.handle(Request(head, stream=object())).status == 200


def preflight(tokens, **options):
    """Ask by OPTIONS, as a browser does; return the headers of the answer and of a refusal."""
    app = App()
    app.handle = lambda _: Response(200, headers={"Access-Control-Allow-Headers": "Content-Type"})
    front = AuthorizedHttp(tokens, app, **options)
    answer = front.handle(Request(Head("OPTIONS", "/v1/models/m", "", {"origin": "http://x"})))
    refusal = front.handle(Request(Head("GET", "/v1/models/m", "", {"origin": "http://x"})))
    return dict(answer.headers), dict(refusal.headers)


def test_with_cors_a_page_of_another_site_may_send_a_token_and_hears_of_a_refusal(tokens):
    answer, refusal = preflight(tokens, cors=True)
    assert answer == {"Access-Control-Allow-Headers": "Authorization, Content-Type"}
    assert refusal["Access-Control-Allow-Origin"] == "*"


def test_without_cors_nothing_of_it_is_said(tokens):
    answer, refusal = preflight(tokens)
    assert answer == {"Access-Control-Allow-Headers": "Content-Type"}
    assert set(refusal) == {"WWW-Authenticate"}


# gRPC.


class Echo:
    def __init__(self):
        self.calls = 0

    def services(self):
        return [Service("echo.Echo", {"Say": Method(StringValue, self.say)})]

    async def say(self, call, request):
        self.calls += 1
        return request


def call_server(tokens, echo, work):
    async def main():
        server = GrpcServer(AuthorizedGrpc(tokens, echo), options=GrpcServerOptions(health=True))
        await server.start()
        try:
            async with grpc.aio.insecure_channel(server.address) as channel:
                return await asyncio.wait_for(work(channel), PATIENCE)
        finally:
            await server.stop(0)

    return asyncio.run(main())


def say(body, *metadata):
    async def work(channel):
        try:
            answer = await channel.unary_unary("/echo.Echo/Say")(body, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()
        return "OK", StringValue.FromString(answer).value

    return work


BODY = StringValue(value="hello").SerializeToString()
TOKEN = ("authorization", f"Bearer {SECRET}")


@pytest.mark.parametrize(
    ("metadata", "answer"),
    [
        ([TOKEN], ("OK", "hello")),
        ([("other", "x"), TOKEN], ("OK", "hello")),
        ([], ("UNAUTHENTICATED", NEEDED)),
        ([("authorization", "Bearer wrong")], ("UNAUTHENTICATED", WRONG)),
        ([TOKEN, TOKEN], ("UNAUTHENTICATED", WRONG)),
        ([TOKEN, ("authorization", "Bearer wrong")], ("UNAUTHENTICATED", WRONG)),
        ([("authorization-bin", b"x")], ("UNAUTHENTICATED", NEEDED)),
    ],
)
def test_a_call_needs_one_right_token(tokens, metadata, answer):
    echo = Echo()
    assert call_server(tokens, echo, say(BODY, *metadata)) == answer
    assert echo.calls == (answer[0] == "OK")


def test_a_refused_call_is_not_even_decoded(tokens):
    assert call_server(tokens, Echo(), say(b"\xff\xff"))[0] == "UNAUTHENTICATED"
    assert call_server(tokens, Echo(), say(b"\xff\xff", TOKEN))[0] == "INVALID_ARGUMENT"


def test_grpcs_health_needs_no_token(tokens):
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    async def work(channel):
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )
        return (await check(HealthCheckRequest())).status

    assert call_server(tokens, Echo(), work) == HealthCheckResponse.SERVING
