"""The lines of an endpoint's containers, read from the offline Cloud Logging."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from cloudserve.errors import UserError
from cloudserve.logs.contract import LoggingProvider, LogQuery
from cloudserve.project import Target
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import perform, plan, put

NOW = datetime.now(UTC).replace(microsecond=0)
RECENT = LogQuery(NOW - timedelta(minutes=10))


@pytest.fixture
def target(bucket):
    return Target("gcp", "vertex", {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"})


@pytest.fixture
def deployed(target, vertex, half_plus_two):
    """Give a provider, its revision, and a function that logs as the platform does."""
    provider = vertex(target)
    revision = put(provider, MODEL, 1, half_plus_two)
    perform(provider, plan(provider, MODEL, revision))
    (placed,) = provider.read(MODEL).snapshot.endpoint.placed
    project = target.fields["project"]
    url = provider.destination().endpoint

    def log(text, deployed_id=placed.id, location="us-central1", **more):
        labels = {"endpoint_id": provider.read(MODEL).snapshot.endpoint_id, "location": location}
        entry = {
            "jsonPayload": {"message": text},
            "labels": {"deployed_model_id": deployed_id},
            "timestamp": NOW.isoformat(),
            **more,
        }
        body = {
            "logName": f"projects/{project}/logs/l",
            "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": labels},
            "entries": [entry],
        }
        requests.post(f"{url}/v2/entries:write", json=body, timeout=60).raise_for_status()

    return provider, revision, log


def test_lines_have_their_revision_and_severity(deployed):
    provider, revision, log = deployed
    assert isinstance(provider, LoggingProvider)
    assert provider.read_logs(MODEL, RECENT) == ()
    log("second", severity="ERROR")
    log("first", deployed_id="99", timestamp=(NOW - timedelta(seconds=1)).isoformat())
    log("too early", timestamp=(NOW - timedelta(hours=1)).isoformat())
    log("of another region", location="europe-west4")
    first, second = provider.read_logs(MODEL, RECENT)
    assert (first.text, first.source, first.severity) == ("first", "99", "DEFAULT")
    assert (second.text, second.source, second.severity) == ("second", revision.id, "ERROR")
    assert (second.time, bool(second.id)) == (NOW, True)


def test_lines_are_chosen_by_a_text_as_it_is_written(deployed):
    provider, _, log = deployed
    for text in ('say "A" \\ 1', 'say "a" \\ 1', "other"):
        log(text)
    lines = provider.read_logs(MODEL, LogQuery(RECENT.since, 'say "A" \\'))
    assert [line.text for line in lines] == ['say "A" \\ 1']


def test_the_log_of_a_job_is_refused(deployed):
    with pytest.raises(UserError, match="batch prediction job of Vertex AI is not read here"):
        deployed[0].read_logs(MODEL, LogQuery(RECENT.since, job="j"))


def test_the_log_of_a_real_project_is_not_read_for_an_offline_model(target, vertex, clouds):
    environ = dict(clouds)
    del environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING"]
    with pytest.raises(UserError, match="stay on this machine") as caught:
        vertex(target, environ).read_logs(MODEL, RECENT)
    assert "logging" in caught.value.message
