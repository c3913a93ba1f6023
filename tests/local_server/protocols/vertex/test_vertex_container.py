"""The routes of a container on Vertex AI; other requests are passed on."""

import json

import pytest
from cloudserve.local_server.protocols.vertex.container import (
    ContainerRoutes,
    VertexContainer,
    with_signature,
)
from cloudserve.local_server.transport.types import Head, Request, Response
from hypothesis import given
from hypothesis import strategies as st

ROUTES = ContainerRoutes("half", "/v1/endpoints/7/deployedModels/9:predict", "/health")


class ServerStatus:
    is_stopping = False
    missing = ()

    def unavailable(self):
        return self.missing


class Behind:
    """The face behind, which says what came to it."""

    def body_limit(self, head):
        return 7

    def handle(self, request):
        head = request.head
        return Response(418, f"{head.method} {head.target} {request.content.decode()}".encode())


@pytest.fixture
def served():
    return ServerStatus()


@pytest.fixture
def face(served):
    return VertexContainer(ROUTES, served, Behind())


@pytest.fixture
def ask(face):
    def ask(method, target, body=b""):
        path, _, query = target.partition("?")
        answer = face.handle(Request(Head(method, path, query), body))
        return answer.status, answer.body.decode()

    return ask


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_health_route_says_200_when_the_model_is_served(ask, method):
    assert ask(method, "/health") == (200, "")


def test_nothing_else_than_200_comes_while_the_model_is_missing_or_the_server_stops(ask, served):
    served.missing = ("half",)
    assert ask("GET", "/health") == (503, "")
    served.missing, served.is_stopping = (), True
    assert ask("GET", "/health") == (503, "")


def test_the_predict_route_is_the_models_own(ask):
    assert ask("POST", f"{ROUTES.predict}?x=1", b'{"instances": [1]}') == (
        418,
        'POST /v1/models/half:predict {"instances": [1]}',
    )


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", ROUTES.predict), ("POST", "/health"), ("GET", "/v1/models/half"), ("POST", "/")],
)
def test_other_requests_reach_the_application_as_they_are(ask, method, target):
    assert ask(method, target, b"{}") == (418, f"{method} {target} {{}}")


def test_bodies_are_taken_as_the_application_takes_them(face):
    assert face.body_limit(Head("POST", ROUTES.predict)) == 7
    assert face.body_limit(Head("GET", ROUTES.health)) == 0


def test_parameters_name_the_signature():
    body = b' {"instances": [1], "parameters": {"signature_name": "a\\"b", "k": 1}}'
    assert json.loads(with_signature(body))["signature_name"] == 'a"b'
    assert with_signature(body).startswith(b'{"signature_name":"a\\"b","instances": [1]')


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1]}',
        b'{"instances": [1], "parameters": {"signature_name": 1}}',
        b'{"instances": [1], "parameters": null}',
        b'{"signature_name": "x", "parameters": {"signature_name": "y"}}',
        b'["parameters"]',
        b'{"parameters": ',
        b'"parameters"' + b"[" * 5000,
    ],
)
def test_a_body_that_names_no_signature_there_is_unchanged(body):
    assert with_signature(body) == body


@given(st.binary() | st.binary().map(lambda data: b'{"parameters":' + data))
def test_any_bytes_are_taken(body):
    assert with_signature(body).endswith(body.lstrip()[1:])
