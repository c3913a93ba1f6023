"""What Vertex AI's failures look like over a real socket, and what an earlier run left running."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import ConflictError, RemoteError, UnreachableError, UserError
from cloudserve.project import Target
from cloudserve.release.types import Action, State
from cloudserve.storage.events import Reporter
from tests.adapters.google.owned import model_labels
from tests.adapters.google.vertex.answers import (
    ARGS,
    DEPLOYED,
    ENDPOINT,
    MODEL,
    ONE,
    answer,
    deploy_action,
    endpoint,
    operation,
    placed,
    posted,
    provider_at,
    state,
    status_of,
    version,
)


def test_projects_named_by_number_are_understood(answering):
    provider, _ = answering(state([version()], endpoint(placed(), trafficSplit={"77": 100})))
    observed = provider.read("half-plus").deployment
    assert [d.revision for d in observed.revisions] == [ONE]
    assert dict(observed.traffic) == {ONE.id: 1.0}
    assert observed.revisions[0].reason is None


def test_an_operation_that_an_earlier_run_left_is_reported(answering):
    listed = {"operations": [operation(ENDPOINT, done=True), operation(ENDPOINT, "deploying")]}
    answers = {**state([], endpoint()), f"GET {ENDPOINT}/operations": answer(200, listed)}
    observed = answering(answers)[0].read("half-plus").deployment
    assert (observed.state, observed.reason) == (State.UPDATING, "operation deploying is running")


def test_versions_over_several_pages_are_all_read(answering):
    other = version("2", versionAliases=[], versionDescription="by hand")
    other["labels"] = model_labels("half-plus")
    answers = state([version()])
    answers[f"GET {MODEL}:listVersions"] = [
        answer(200, {"models": [other], "nextPageToken": "2"}),
        answer(200, {"models": [version()]}),
    ]
    provider, _ = answering(answers)
    assert [d.revision for d in provider.read("half-plus").deployment.revisions] == [ONE]


def test_a_version_that_somebody_adds_by_hand_is_ignored(answering):
    theirs = version("2", versionAliases=["mine"], versionDescription="by hand", labels={})
    provider, _ = answering(
        state([version(), theirs], endpoint(placed(), trafficSplit={"77": 100}))
    )
    assert [d.revision for d in provider.read("half-plus").deployment.revisions] == [ONE]


def test_a_model_without_any_version_of_ours_is_a_conflict(answering):
    theirs = version(versionAliases=["mine"], versionDescription="by hand", labels={})
    provider, _ = answering(state([theirs]))
    with pytest.raises(ConflictError, match="the model half-plus exists, and nothing says"):
        provider.read("half-plus")


def test_a_missing_permission_is_reported_with_its_name(answering):
    message = "Permission 'aiplatform.models.list' denied on resource"
    provider, _ = answering(
        {f"GET {MODEL}:listVersions": status_of(403, message, "PERMISSION_DENIED")}
    )
    with pytest.raises(RemoteError, match=r"aiplatform\.models\.list") as error:
        provider.read("half-plus")
    assert error.value.where.endswith(f"{MODEL}")
    assert error.value.hint.startswith("grant the account the permission")


def test_an_endpoint_without_a_server_is_unreachable(nobody):
    provider = provider_at(nobody)
    for call in (lambda: provider.read("m").deployment, lambda: provider.predict("m", b"{}")):
        with pytest.raises(UnreachableError) as error:
            call()
        assert error.value.where.startswith(nobody)


def test_making_a_provider_sends_no_request(scripted):
    server = scripted(lambda request: None)
    fields = {"bucket": "gs://some-bucket", "project": "p", "endpoint": server.url}
    create(Target("gcp", "vertex", fields), {"STORAGE_EMULATOR_HOST": server.url})
    assert server.requests == []


def test_stages_of_a_deployment_are_reported_once_each(answering, lines):
    metadata = {"deploymentStage": "STARTING_MODEL_SERVER"}
    done = operation(ENDPOINT, done=True, response={})
    provider, server = answering(
        {
            **state([version()], endpoint()),
            f"POST {ENDPOINT}:deployModel": answer(200, operation(ENDPOINT)),
            f"GET {ENDPOINT}/operations/op": [
                answer(200, operation(ENDPOINT, metadata=metadata)),
                answer(200, operation(ENDPOINT, metadata=metadata)),
                status_of(503, "busy", "UNAVAILABLE"),
                answer(200, done),
            ],
        }
    )
    provider.perform(deploy_action(), Reporter(lines.append))
    assert lines == [
        f"deploy {ONE.id}: operation op is running",
        f"deploy {ONE.id}: starting model server",
        "read the operation: busy; asking again",
    ]
    assert posted(server, ":deployModel") == [
        {"deployedModel": {**DEPLOYED, "model": f"{MODEL}@1"}, "trafficSplit": {"0": 100}}
    ]


def test_a_deployment_past_the_deadline_continues_and_the_next_run_waits_for_it(answering, lines):
    answers = {
        **state([version()], endpoint()),
        f"POST {ENDPOINT}:deployModel": answer(200, operation(ENDPOINT)),
        f"GET {ENDPOINT}/operations/op": answer(200, operation(ENDPOINT)),
    }
    provider, server = answering(answers, timeout=0.02)
    with pytest.raises(RemoteError, match="it continues on the platform") as error:
        provider.perform(deploy_action(), Reporter(lines.append))
    assert "run the same command again" in error.value.hint

    lines.clear()
    answers[f"GET {ENDPOINT}/operations"] = answer(200, {"operations": [operation(ENDPOINT)]})
    answers[f"GET {ENDPOINT}/operations/op"] = answer(200, operation(ENDPOINT, done=True))
    answers[f"GET {ENDPOINT}"] = answer(200, endpoint(placed(), trafficSplit={"77": 100}))
    provider.perform(deploy_action(), Reporter(lines.append))
    assert lines == [
        "started earlier: operation op is running",
        f"{ONE.id}: on the endpoint already",
    ]
    assert len(posted(server, ":deployModel")) == 1


ADVICE = {
    1: "run the same command again when the cause has passed; ",
    3: "correct the cause and deploy again: what failed is replaced; ",
    7: "grant the permission that the message names, then run the same command again; ",
    8: "ask for more quota or take other machines, then run the same command again: "
    "https://console.cloud.google.com/iam-admin/quotas?project=p; ",
    9: "correct the cause and deploy again: what failed is replaced; ",
    14: "run the same command again when the cause has passed; ",
}


@pytest.mark.parametrize(
    ("code", "message", "marked"),
    [
        (9, "Model server exited unexpectedly.", True),
        (3, "The model is not supported.", True),
        (8, "The following quota metrics exceed quota limits: custom_model_serving_cpus", False),
        (7, "Permission 'storage.objects.get' denied on gs://bucket", False),
        (14, "The service is currently unavailable.", False),
        (1, "The operation was cancelled.", False),
    ],
)
def test_only_a_failure_of_the_models_own_marks_it_as_failed(
    answering, lines, code, message, marked
):
    failed = operation(ENDPOINT, done=True, error={"code": code, "message": message})
    provider, server = answering(
        {
            **state([version()], endpoint()),
            f"POST {ENDPOINT}:deployModel": answer(200, failed),
            f"PATCH {MODEL}@1": answer(200, version()),
        }
    )
    with pytest.raises(RemoteError) as error:
        provider.perform(deploy_action(), Reporter(lines.append))
    assert error.value.message == f"deploy {ONE.id}: {message}"
    assert error.value.hint.startswith(ADVICE[code])
    assert "; its log: https://console.cloud.google.com/logs/query;query=" in error.value.hint
    patches = [json.loads(a.body) for a in server.requests if a.method == "PATCH"]
    if marked:
        (patch,) = patches
        assert patch["labels"]["cloudserve-state"] == "failed"
        assert patch["versionDescription"].endswith(f"\n{error.value.message}")
    else:
        assert patches == []


def test_the_mark_of_a_failure_keeps_the_labels_that_others_set(answering, lines):
    failed = operation(ENDPOINT, done=True, error={"code": 9, "message": "it crashed"})
    theirs = version()
    theirs["labels"]["team"] = "vision"
    provider, server = answering(
        {
            **state([theirs], endpoint()),
            f"POST {ENDPOINT}:deployModel": answer(200, failed),
            f"PATCH {MODEL}@1": answer(200, theirs),
        }
    )
    with pytest.raises(RemoteError, match="it crashed"):
        provider.perform(deploy_action(), Reporter(lines.append))
    (patch,) = [json.loads(a.body) for a in server.requests if a.method == "PATCH"]
    assert patch["labels"].items() > theirs["labels"].items()
    assert patch["labels"]["cloudserve-state"] == "failed"


def test_a_mark_that_cannot_be_made_does_not_hide_the_failure(answering, lines, caplog):
    failed = operation(ENDPOINT, done=True, error={"code": 9, "message": "it crashed"})
    provider, _ = answering(
        {
            **state([version()], endpoint()),
            f"POST {ENDPOINT}:deployModel": answer(200, failed),
            f"PATCH {MODEL}@1": status_of(403, "no", "PERMISSION_DENIED"),
        }
    )
    with pytest.raises(RemoteError, match="it crashed"):
        provider.perform(deploy_action(), Reporter(lines.append))
    assert "version 1 is not marked as failed" in caplog.text


def test_traffic_goes_to_the_newest_deployment_on_the_endpoint_as_it_was_read(answering, lines):
    newer = placed("88", createTime="2026-05-06T07:08:10Z")
    existing = endpoint(placed(), newer, placed("99", model="m/theirs"), trafficSplit={"77": 100})
    provider, server = answering(
        {**state([version()], existing), f"PATCH {ENDPOINT}": answer(200, existing)}
    )
    args = {**ARGS, "split": {ONE.id: 60, "99": 40}}
    provider.perform(Action("set-traffic", "", args), Reporter(lines.append))
    (patch,) = [a for a in server.requests if a.method == "PATCH"]
    assert "updateMask=trafficSplit" in patch.path
    assert json.loads(patch.body) == {"trafficSplit": {"88": 60, "99": 40}, "etag": "E"}


def test_traffic_that_somebody_changed_after_the_plan_stays(answering, lines):
    existing = endpoint(placed(), placed("99", model="m/theirs"), trafficSplit={"77": 50, "99": 50})
    provider, server = answering(state([version()], existing))
    args = {**ARGS, "split": {ONE.id: 100}, "before": {ONE.id: 90, "99": 10}}
    with pytest.raises(ConflictError) as error:
        provider.perform(Action("set-traffic", "", args), Reporter(lines.append))
    assert error.value.message == (
        f"the traffic of the endpoint half-plus is 50 % to 99, 50 % to {ONE.id} now, and was "
        f"10 % to 99, 90 % to {ONE.id} when this was planned"
    )
    assert [request.method for request in server.requests] == ["GET", "GET"]


def test_a_deployment_with_traffic_is_never_undeployed(answering, lines):
    existing = endpoint(placed(), trafficSplit={"77": 100})
    provider, _ = answering(state([version()], existing))
    args = {**ARGS, "deployment": ""}
    with pytest.raises(ConflictError, match="has traffic"):
        provider.perform(Action("undeploy-model", "", args), Reporter(lines.append))


@pytest.mark.parametrize(
    "existing",
    [
        version(),
        version(versionAliases=[], versionDescription="", labels=model_labels("half-plus")),
    ],
)
def test_a_version_that_was_not_replaced_is_never_deleted(answering, lines, existing):
    """The numbers of a model that was deleted and uploaded again begin at 1."""
    provider, server = answering(state([existing]))
    with pytest.raises(ConflictError, match=r"v1-\w+ did not replace version 1 of half-plus"):
        provider.perform(
            Action("delete-version", "", {**ARGS, "version": "1"}), Reporter(lines.append)
        )
    assert {a.method for a in server.requests} == {"GET"}


def test_a_replaced_version_that_is_gone_is_no_error(answering, lines):
    provider, _ = answering(state([version("2")]))
    action = Action("delete-version", "", {**ARGS, "version": "1"})
    provider.perform(action, Reporter(lines.append))
    assert lines == ["version 1: gone already"]


def test_a_deployment_of_another_revision_is_never_scaled(answering, lines):
    existing = endpoint(placed(modelVersionId="9"))
    provider, server = answering(state([version()], existing))
    args = {**ARGS, "deployment": "77", "scaling": {"minReplicaCount": 2}}
    with pytest.raises(ConflictError, match=f"77 is not a deployment of {ONE.id}"):
        provider.perform(Action("scale-model", "", args), Reporter(lines.append))
    assert {a.method for a in server.requests} == {"GET"}


def test_an_action_that_is_not_vertexs_is_refused(nobody):
    with pytest.raises(UserError, match="vertex does not know the action `set-default`"):
        provider_at(nobody).perform(Action("set-default", ""), Reporter(print))


def test_an_action_without_a_field_is_refused_with_the_field(nobody):
    with pytest.raises(UserError, match="missing required field `split`") as error:
        provider_at(nobody).perform(
            Action("set-traffic", "", {"model": "half-plus"}), Reporter(print)
        )
    assert error.value.hint == "make the plan again"
