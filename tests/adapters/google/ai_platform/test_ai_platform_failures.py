"""What AI Platform's failures look like: the texts that users reported, over a real socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cloudserve.adapters.google.ai_platform.api import MlClient
from cloudserve.adapters.google.ai_platform.options import Options
from cloudserve.adapters.google.ai_platform.provider import AiPlatform, create
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.labels import version_labels
from cloudserve.adapters.polling import Poller

from cloudserve.errors import ConflictError, RemoteError, UnreachableError, UserError
from cloudserve.project import Target
from cloudserve.release.types import (
    Action,
    Deployed,
    Deployment,
    Location,
    Reading,
    Revision,
    State,
)
from cloudserve.storage.events import Reporter
from tests.adapters.google.owned import AI_PLATFORM, model_labels

MODEL = "projects/p/models/half_plus"
REVISION = Revision(1, "0f3c5a9b7d21" + "e" * 52)
VERSION = f"{MODEL}/versions/v1_0f3c5a9b7d21"
LOCATION = Location("gs://bucket", "cloudserve/x/", "half-plus", 1)
OURS = {"name": MODEL, "labels": model_labels("half-plus")}
ARGS = {"model": "half-plus", "revision": REVISION.id}
SHUT_DOWN = (
    "Cloud AI Platform has been deprecated. Please use Vertex AI "
    "(https://cloud.google.com/vertex-ai) instead."
)


def answer(status, body):
    return status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


def status_of(code, message, name="FAILED_PRECONDITION"):
    return answer(code, {"error": {"code": code, "message": message, "status": name}})


def provider_at(url, timeout=5.0, **fields):
    options = Options(bucket="gs://bucket", project="p", endpoint=url, **fields)
    ml = MlClient("p", url, Access({}), retries=0)
    return AiPlatform(AI_PLATFORM, options, ml, None, Poller(timeout, first=0.001, longest=0.01))


@pytest.fixture
def answering(scripted):
    """Give what makes a provider whose service answers by `METHOD path`."""

    def make(answers, **options):
        def answer_to(request):
            result = answers[
                f"{request.method} {request.path.partition('?')[0].removeprefix('/v1/')}"
            ]
            return result.pop(0) if isinstance(result, list) else result

        return provider_at(scripted(answer_to).url, **options)

    return make


@pytest.fixture
def predicting(scripted):
    """Give what makes a provider whose service has the model, and answers predictions so."""

    def make(status, kind, body):
        def answer_to(request):
            is_model = request.method == "GET"
            return answer(200, OURS) if is_model else (status, {"Content-Type": kind}, body)

        server = scripted(answer_to)
        return provider_at(server.url), server

    return make


def create_version():
    args = {
        **ARGS,
        "number": 1,
        "digest": REVISION.digest,
        "source": LOCATION.saved_model_url,
        "settings": {"runtimeVersion": "2.11"},
        "labels": {},
    }
    return Action("create-version", "create", args)


def test_the_live_services_refusal_points_to_vertex(answering):
    provider = answering({f"GET {MODEL}": status_of(400, SHUT_DOWN)})
    with pytest.raises(RemoteError) as error:
        provider.read("half-plus")
    assert error.value.message == f"read: {SHUT_DOWN}"
    assert error.value.status == 400
    assert "31 January 2025" in error.value.hint
    assert "`cloudserve migrate TARGET` writes the Vertex AI target" in error.value.hint
    assert not error.value.retryable


def test_a_missing_permission_is_reported_with_the_message_that_names_it(answering):
    message = "The caller does not have permission ml.models.get"
    provider = answering({f"GET {MODEL}": status_of(403, message, "PERMISSION_DENIED")})
    with pytest.raises(RemoteError, match=r"ml\.models\.get") as error:
        provider.read("half-plus")
    assert error.value.status == 403
    assert error.value.hint.startswith("grant the account the permission")
    assert error.value.where.endswith(MODEL)


def test_an_endpoint_without_a_server_is_unreachable(nobody):
    with pytest.raises(UnreachableError) as error:
        provider_at(nobody).read("half-plus")
    assert error.value.where.startswith(nobody)
    assert "Connection refused" in error.value.message
    assert "emulator" in error.value.hint
    with pytest.raises(UnreachableError):
        provider_at(nobody).predict("half-plus", b"{}")


def test_a_bucket_that_nobody_serves_is_unreachable_at_once(nobody, clouds):
    target = Target("gcp", "ai-platform", {"bucket": "gs://some-bucket"})
    blobs = create(target, {**clouds, "STORAGE_EMULATOR_HOST": nobody}).blobs
    for call in (lambda: blobs.read("a"), lambda: blobs.write("a", b""), lambda: [*blobs.list("")]):
        with pytest.raises(UnreachableError) as error:
            call()
        assert error.value.where == nobody


def test_missing_credentials_are_reported_with_the_command_to_log_in(tmp_path):
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json")}
    target = Target("gcp", "ai-platform", {"bucket": "gs://some-bucket", "project": "p"})
    provider = create(target, environ)
    for call in (lambda: provider.read("m").deployment, lambda: provider.blobs.head("a")):
        with pytest.raises(RemoteError, match=r"no usable Google credentials.*none\.json") as error:
            call()
        assert "gcloud auth application-default login" in error.value.hint


def test_a_refusal_of_the_token_endpoint_is_one_sentence(tmp_path, scripted, clouds):
    refusal = {"error": "invalid_grant", "error_description": "the account is disabled"}
    server = scripted(lambda request: answer(400, refusal))
    account = json.loads(Path(clouds["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    key = tmp_path / "account.json"
    key.write_text(json.dumps({**account, "token_uri": f"{server.url}/token"}))
    target = Target("gcp", "ai-platform", {"bucket": "gs://some-bucket", "project": "p"})
    provider = create(target, {"GOOGLE_APPLICATION_CREDENTIALS": str(key)})
    with pytest.raises(RemoteError) as error:
        _ = provider.read("m").deployment
    assert error.value.message.endswith(
        ": no usable Google credentials (invalid_grant: the account is disabled)"
    )


def test_making_a_provider_sends_no_request(scripted):
    server = scripted(lambda request: None)
    fields = {"bucket": "gs://some-bucket", "project": "p", "endpoint": server.url}
    create(Target("gcp", "ai-platform", fields), {"STORAGE_EMULATOR_HOST": server.url})
    assert server.requests == []


def test_an_operation_that_fails_raises_its_reason(answering, lines):
    text = 'Create Version failed. Bad model detected with error: "Failed to load model"'
    name = "projects/p/operations/create_1"
    provider = answering(
        {
            f"POST {MODEL}/versions": answer(200, {"name": name}),
            f"GET {name}": [
                answer(200, {"name": name, "done": False}),
                answer(200, {"name": name, "done": True, "error": {"code": 3, "message": text}}),
            ],
        }
    )
    with pytest.raises(RemoteError) as error:
        provider.perform(create_version(), Reporter(lines.append))
    assert error.value.message == text
    assert error.value.where.endswith(VERSION)
    assert lines == ["operation create_1 is running"]


def test_a_hiccup_while_waiting_is_survived(answering, lines):
    name = "projects/p/operations/create_1"
    done = {"name": name, "done": True, "response": {}}
    provider = answering(
        {
            f"POST {MODEL}/versions": answer(200, {"name": name}),
            f"GET {name}": [status_of(503, "busy", "UNAVAILABLE"), None, answer(200, done)],
        }
    )
    provider.perform(create_version(), Reporter(lines.append))
    assert lines[1] == "read the operation: busy; asking again"


def test_an_operation_past_the_deadline_continues_and_says_so(answering, lines):
    name = "projects/p/operations/create_1"
    provider = answering(
        {
            f"POST {MODEL}/versions": answer(200, {"name": name}),
            f"GET {name}": answer(200, {"name": name}),
        },
        timeout=0.02,
    )
    with pytest.raises(RemoteError, match="it continues on the platform"):
        provider.perform(create_version(), Reporter(lines.append))


def test_a_version_of_another_digest_under_our_name_is_a_conflict(answering, lines):
    taken = "Field: version.name Error: A version with the same name already exists."
    other = Revision(1, "0f3c5a9b7d21" + "a" * 52)
    result = {"name": VERSION, "labels": version_labels(other), "state": "READY"}
    provider = answering(
        {
            f"POST {MODEL}/versions": status_of(409, taken, "ALREADY_EXISTS"),
            f"GET {VERSION}": answer(200, result),
        }
    )
    with pytest.raises(ConflictError, match="exists and is not this model"):
        provider.perform(create_version(), Reporter(lines.append))


def test_a_version_that_another_run_is_making_is_waited_for(answering, lines):
    labels = version_labels(REVISION)
    creating = answer(200, {"name": VERSION, "labels": labels, "state": "CREATING"})
    failed = {"name": VERSION, "labels": labels, "state": "FAILED", "errorMessage": "Bad model"}
    provider = answering({f"GET {VERSION}": [creating, creating, answer(200, failed)]})
    observed = Deployment(
        "half-plus", "gcp", (Deployed(REVISION, State.CREATING, ""),), {}, State.READY, None, MODEL
    )
    (action,) = provider.plan_deploy(Reading(observed), REVISION, LOCATION)
    assert action.kind == "await-version"
    with pytest.raises(RemoteError, match="Bad model"):
        provider.perform(action, Reporter(lines.append))


def test_a_version_that_is_being_deleted_is_a_conflict(nobody):
    observed = Deployment("half-plus", "gcp", (Deployed(REVISION, State.DELETING, ""),))
    with pytest.raises(ConflictError, match="is being deleted"):
        provider_at(nobody).plan_deploy(Reading(observed), REVISION, LOCATION)


def test_a_version_that_works_is_never_deleted(answering, lines):
    result = {"name": VERSION, "labels": version_labels(REVISION), "state": "READY"}
    provider = answering({f"GET {VERSION}": answer(200, result)})
    with pytest.raises(ConflictError, match="no longer failed"):
        provider.perform(Action("delete-version", "delete", ARGS), Reporter(lines.append))


def test_a_platform_model_of_another_name_is_a_conflict(answering):
    result = {"name": MODEL, "labels": model_labels("half_plus")}
    provider = answering({f"GET {MODEL}": answer(200, result)})
    with pytest.raises(ConflictError, match="the model half_plus belongs to the model `half_plus`"):
        provider.read("half-plus")


def test_versions_that_are_not_ours_are_ignored(answering):
    stranger = {"name": f"{MODEL}/versions/old", "state": "READY"}
    ours = {"name": VERSION, "labels": version_labels(REVISION), "state": "READY"}
    provider = answering(
        {
            f"GET {MODEL}": answer(200, OURS | {"defaultVersion": stranger}),
            f"GET {MODEL}/versions": [
                answer(200, {"versions": [stranger], "nextPageToken": "2"}),
                answer(200, {"versions": [ours]}),
            ],
        }
    )
    observed = provider.read("half-plus").deployment
    assert [d.revision for d in observed.revisions] == [REVISION]
    assert observed.traffic == {"old": 1.0}


def test_after_a_failed_first_version_the_next_one_is_made_the_default(nobody):
    failed = Deployed(Revision(1, "f" * 64), State.FAILED, "")
    observed = Deployment("half-plus", "gcp", (failed,), {}, State.READY, None, MODEL)
    actions = provider_at(nobody).plan_deploy(Reading(observed), REVISION, LOCATION)
    assert [action.kind for action in actions] == ["create-version", "set-default"]


def test_a_failure_inside_a_successful_answer_is_raised(answering):
    text = 'Prediction failed: Error during model execution: AbortionError(details="x")'
    answers = {f"GET {MODEL}": answer(200, OURS)}
    provider = answering({**answers, f"POST {MODEL}:predict": answer(200, {"error": text})})
    with pytest.raises(RemoteError) as error:
        provider.predict("half-plus", b"{}")
    assert error.value.message == f"predict: {text}"
    assert error.value.where.endswith(f"{MODEL}:predict")


def test_a_prediction_passes_bytes_through(predicting):
    content = b'{"predictions": [1.50, 2e3], "x": "error"}'
    provider, server = predicting(200, "application/json", content)
    body = b'{"instances":   [1.0, 1e400]}'
    assert provider.predict("half-plus", body, REVISION.id) == content
    assert server.requests[-1].body == body
    assert server.requests[-1].path == f"/v1/{VERSION}:predict"


def test_an_answer_that_is_no_json_is_an_error(predicting, scripted):
    with pytest.raises(RemoteError, match="not JSON"):
        predicting(200, "text/html", b"<html>")[0].predict("half-plus", b"{}")
    server = scripted(lambda request: (200, {"Content-Type": "text/html"}, b"<html>"))
    with pytest.raises(RemoteError, match="not JSON"):
        provider_at(server.url).read("half-plus")


def test_a_prediction_with_nan_passes_through_and_a_failure_with_nan_is_still_one(predicting):
    content = b'{"predictions": [NaN, -Infinity]}'
    provider, _ = predicting(200, "application/json", content)
    assert provider.predict("half-plus", b"{}") == content
    failure = b'{"error": "it failed", "predictions": [NaN]}'
    provider, _ = predicting(200, "application/json", failure)
    with pytest.raises(RemoteError, match="predict: it failed"):
        provider.predict("half-plus", b"{}")


def test_a_prediction_that_is_too_large_is_reported_in_the_services_words(answering):
    text = "Request payload size exceeds the limit: 1572864 bytes."
    refusal = status_of(400, text, "INVALID_ARGUMENT")
    provider = answering({f"GET {MODEL}": answer(200, OURS), f"POST {MODEL}:predict": refusal})
    with pytest.raises(RemoteError, match=text) as error:
        provider.predict("half-plus", b"{}")
    assert error.value.status == 400


def test_an_html_error_page_does_not_hide_the_status(predicting):
    provider, _ = predicting(502, "text/html", b"<html>Bad</html>")
    with pytest.raises(RemoteError) as error:
        provider.predict("half-plus", b"{}")
    assert (error.value.status, error.value.retryable) == (502, True)


def test_a_client_that_dropped_the_api_says_which_release_knows_it(nobody):
    class Dropped(MlClient):
        """ml v1 by a name that no googleapiclient has."""

        def __init__(self, endpoint):
            super().__init__("p", endpoint, Access({}))
            self._version = "v0"

    with pytest.raises(UserError, match="does not know ml v0 any more") as error:
        Dropped(nobody).get_model("half")
    assert error.value.hint.startswith("pip install google-api-python-client==")
