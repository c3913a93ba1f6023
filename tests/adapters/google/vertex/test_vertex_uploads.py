"""Uploads that an earlier run began, whose answer was lost, or that fail."""

from __future__ import annotations

import pytest

from cloudserve.errors import RemoteError
from cloudserve.release.types import Action
from cloudserve.storage.events import Reporter
from tests.adapters.google.vertex.answers import (
    ARGS,
    LOCATION,
    MODEL,
    ONE,
    PARENT,
    answer,
    operation,
    posted,
    state,
    status_of,
    version,
)


def upload_action():
    return Action(
        "upload-version",
        "upload",
        {
            **ARGS,
            "number": 1,
            "digest": ONE.digest,
            "source": LOCATION.saved_model_url,
            "spec": {"imageUri": "i"},
            "container": "abc",
        },
    )


def test_an_upload_that_an_earlier_run_began_is_waited_for_and_taken(answering, lines):
    answers = state()
    answers[f"GET {MODEL}/operations"] = answer(200, {"operations": [operation(MODEL)]})
    answers[f"GET {MODEL}/operations/op"] = answer(200, operation(MODEL, done=True))
    answers[f"GET {MODEL}:listVersions"] = answer(200, {"models": [version()]})
    provider, server = answering(answers)
    provider.perform(upload_action(), Reporter(lines.append))
    assert lines == [
        "started earlier: operation op is running",
        "version 1 of half-plus already exists",
    ]
    assert posted(server, "models:upload") == []


@pytest.mark.parametrize("late", [False, True])
def test_an_upload_whose_answer_was_lost_is_recognised(answering, lines, late):
    taken = {"code": 6, "message": "Model already exists."}
    answers = {**state(), f"POST {PARENT}/models:upload": status_of(409, "Model already exists.")}
    if late:
        failed = operation(MODEL, done=True, error=taken)
        answers[f"POST {PARENT}/models:upload"] = answer(200, failed)
    answers[f"GET {MODEL}:listVersions"] = [
        status_of(404, "none"),
        answer(200, {"models": [version()]}),
    ]
    provider, server = answering(answers)
    provider.perform(upload_action(), Reporter(lines.append))
    assert lines[-1] == "version 1 of half-plus already exists"
    (body,) = posted(server, "models:upload")
    assert body["modelId"] == "half-plus"
    assert body["model"]["versionAliases"] == [ONE.id]
    assert body["model"]["displayName"] == "half-plus"


def test_an_upload_that_fails_raises_its_operations_reason(answering, lines):
    text = "There are no files under gs://bucket/x to copy."
    failed = operation(MODEL, done=True, error={"code": 9, "message": text})
    answers = {**state(), f"POST {PARENT}/models:upload": answer(200, failed)}
    provider, _ = answering(answers)
    with pytest.raises(RemoteError, match="There are no files") as error:
        provider.perform(upload_action(), Reporter(lines.append))
    assert error.value.where.endswith(MODEL)
    assert error.value.request_id == f"{MODEL}/operations/op"
