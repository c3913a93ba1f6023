"""Health, readiness and the list of models; other requests are passed on."""

import json

import pytest
from cloudserve.local_server.models import State, VersionState
from cloudserve.local_server.protocols.middleware.health import Health
from cloudserve.local_server.status import Code
from cloudserve.local_server.transport.types import Head, Request, Response


class ServerStatus:
    """A server of two models, one of which failed."""

    def __init__(self):
        self.is_stopping = False
        self.missing = ()

    def unavailable(self):
        return self.missing

    def models(self):
        return {
            "half": (VersionState(2, State.LOADING), VersionState(1, State.AVAILABLE)),
            "bad": (VersionState(1, State.END, Code.NOT_FOUND, "no model"),),
        }

    def labels(self, name):
        return {"half": {"stable": 1}}.get(name, {})


class StubApp:
    """The wrapped application, whose body limit is 7 bytes."""

    def body_limit(self, head):
        return 7

    def together(self, head):
        return list

    def handle(self, request):
        return Response(418)


@pytest.fixture
def served():
    return ServerStatus()


@pytest.fixture
def ask(served):
    app = Health(served, StubApp())

    def ask(target, method="GET"):
        answer = app.handle(Request(Head(method, target, {}), b""))
        return answer.status, json.loads(answer.body) if answer.body else None

    ask.limit = lambda method, target: app.body_limit(Head(method, target, {}))
    return ask


def test_a_server_that_answers_is_alive(ask, served):
    served.missing = ("bad",)
    served.is_stopping = True
    assert ask("/healthz") == (200, {"status": "alive"})


def test_only_requests_of_the_application_are_answered_together(served):
    app = Health(served, StubApp())
    assert app.together(Head("POST", "/v1/models/m:predict")) is list
    assert app.together(Head("GET", "/healthz")) is None


def test_a_server_is_ready_when_every_model_has_an_available_version(ask, served):
    assert ask("/readyz") == (200, {"status": "ready"})
    served.missing = ("bad",)
    assert ask("/readyz") == (503, {"status": "not ready", "unavailable": ["bad"]})


def test_a_server_that_is_about_to_end_is_not_ready(ask, served):
    served.is_stopping = True
    assert ask("/readyz") == (503, {"status": "stopping"})


def test_the_models_are_listed_with_versions_errors_and_labels(ask):
    status, answer = ask("/v1/models")
    assert status == 200
    half, bad = answer["models"]
    assert half["name"] == "half"
    assert [(v["version"], v["state"]) for v in half["model_version_status"]] == [
        ("2", "LOADING"),
        ("1", "AVAILABLE"),
    ]
    assert half["version_labels"] == {"stable": "1"}
    assert bad["model_version_status"][0]["status"] == {
        "error_code": "NOT_FOUND",
        "error_message": "no model",
    }


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/healthz"), ("GET", "/v1/models/half"), ("GET", "/healthz?x")]
)
def test_every_other_request_is_passed_on(ask, method, target):
    assert ask(target, method)[0] == 418
    assert ask.limit(method, target) == 7


def test_questions_about_the_server_have_no_body(ask):
    assert ask.limit("GET", "/healthz") == 0
