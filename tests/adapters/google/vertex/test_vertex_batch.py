"""Batch predictions: real jobs of the offline Vertex AI, and failures over a real socket."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import RemoteError, UserError
from cloudserve.predict.batch import Batch, run_batch
from cloudserve.project import Model, Project, Target
from cloudserve.storage.events import Reporter
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import perform, plan, put
from tests.adapters.google.owned import VERTEX

KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


@pytest.fixture
def target(bucket):
    # A container of one's own: a batch finds its provider by name, with today's clock.
    image = "us-docker.pkg.dev/p/r/tensorflow-serving:2.19"
    fields = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}", "image": image}
    return Target("gcp", "vertex", fields)


@pytest.fixture
def provider(target, clouds):
    return create(target, clouds)


@pytest.fixture
def one(provider, half_plus_two):
    """Deploy x/2+2 as version 1."""
    revision = put(provider, MODEL, 1, half_plus_two)
    perform(provider, plan(provider, MODEL, revision))
    return revision


@pytest.fixture
def predict(tmp_path, target, clouds, lines):
    """Give what runs a batch with the project of one model."""
    of = Project(tmp_path / "x.yaml", {MODEL: Model(MODEL, tmp_path)}, {"gcp": target})

    def predict(*files, name="", **options):
        project = replace(of, name=name)
        values = tuple(map(str, files))
        return run_batch(
            project, MODEL, "gcp", values, environ=clouds, notify=lines.append, **options
        )

    return predict


def written(tmp_path, *instances, name="in.jsonl"):
    path = tmp_path / name
    path.write_text("".join(f"{json.dumps(instance)}\n" for instance in instances))
    return path


def answers(provider, result):
    """Read the output's lines, of predictions and errors."""
    prefix = result.output.removeprefix(f"{provider.blobs.url}/")
    results = [provider.blobs.read(blob.key)[0] for blob in provider.blobs.list(prefix)]
    return [json.loads(line) for data in results for line in data.decode().splitlines()]


def test_a_local_file_is_uploaded_once_and_answered_line_by_line(
    provider, one, predict, tmp_path, lines
):
    file = written(tmp_path, 1.0, 5.0)
    result = predict(file)
    assert (result.succeeded, result.failed, result.revision) == (2, 0, one.id)
    assert {(a["instance"], a["prediction"]) for a in answers(provider, result)} == {
        (1.0, 2.5),
        (5.0, 4.5),
    }
    assert lines[0].startswith(
        f"upload {file} to {provider.blobs.url}/cloudserve/{MODEL}/batch/in/"
    )
    assert lines[-1] == "job: succeeded"
    lines.clear()
    predict(file)
    assert not [line for line in lines if line.startswith("upload")]


def test_a_named_project_keeps_its_files_apart_from_others_of_the_bucket(
    provider, target, clouds, half_plus_two, predict, tmp_path
):
    named = create(replace(target, project="shop"), clouds)
    perform(named, plan(named, MODEL, put(named, MODEL, 1, half_plus_two)))
    result = predict(written(tmp_path, 1.0), name="shop")
    folder = f"cloudserve/project.shop/{MODEL}/batch/"
    assert result.output.startswith(f"{provider.blobs.url}/{folder}out/")
    keys = [blob.key for blob in provider.blobs.list("cloudserve/")]
    assert [key for key in keys if "batch" in key and not key.startswith(folder)] == []


def test_files_in_the_bucket_are_taken_where_they_are(provider, one, predict, tmp_path):
    for name, value in (("a.jsonl", 1.0), ("b.jsonl", 5.0)):
        provider.blobs.upload(f"mine/{name}", written(tmp_path, value, name=name), {})
    urls = [f"{provider.blobs.url}/mine/{name}" for name in ("a.jsonl", "b.jsonl")]
    result = predict(*urls, output=f"{provider.blobs.url}/answers", batch_size=1)
    assert result.succeeded == 2
    assert result.output.startswith(f"{provider.blobs.url}/answers/")


def test_a_revision_need_not_be_on_the_endpoint(provider, one, predict, tmp_path, half_plus_three):
    two = put(provider, MODEL, 2, half_plus_three)
    upload, _ = plan(provider, MODEL, two)
    perform(provider, [upload])
    result = predict(written(tmp_path, 1.0), version="2")
    assert result.revision == two.id
    assert [a["prediction"] for a in answers(provider, result)] == [3.5]


def test_instances_that_the_model_refuses_are_counted_and_the_rest_is_answered(
    provider, one, predict, tmp_path
):
    result = predict(written(tmp_path, 1.0, "text"), batch_size=1)
    assert (result.succeeded, result.failed) == (1, 1)
    assert result.failures
    assert len(answers(provider, result)) == 2


def test_a_job_in_which_all_fails_is_an_error_with_the_reason_and_the_place(one, predict, tmp_path):
    with pytest.raises(RemoteError) as error:
        predict(written(tmp_path, "text", "more"))
    assert error.value.message == (
        "the job failed: All attempted instances failed: see prediction.errors_stats in the "
        "output; Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        'Value: "text" Type: String is not of expected type: float'
    )
    assert "/batchPredictionJobs/" in error.value.where
    assert "its errors are in gs://" in error.value.hint
    assert error.value.request_id.startswith("projects/")


def test_a_file_that_does_not_exist_is_reported_before_anything_is_sent(
    one, predict, tmp_path, lines
):
    with pytest.raises(UserError, match=r"none\.jsonl` does not exist"):
        predict(tmp_path / "none.jsonl")
    assert lines == []


def test_a_job_that_vertex_does_not_have_is_refused_before_anything_is_uploaded(
    provider, one, predict, tmp_path, lines
):
    file = written(tmp_path, 1.0)
    before = [blob.key for blob in provider.blobs.list("")]
    for files, options, sentence in (
        ((file, "s3://b/x.jsonl"), {}, "`s3://b/x.jsonl` is not a URL of the platform's storage"),
        ((file,), {"output": "out"}, "`out` is not a URL of the platform's storage"),
        ((file, f"{provider.blobs.url}/none-*"), {}, "there is no object"),
        ((file, written(tmp_path, name="empty.jsonl")), {}, "has no instances"),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)):
            predict(*files, **options)
    assert [blob.key for blob in provider.blobs.list("")] == before
    assert lines == []


def test_nothing_live_is_reported(provider, predict, tmp_path):
    with pytest.raises(UserError, match="no revision of half-plus is live") as error:
        predict(written(tmp_path, 1.0))
    assert "--version" in error.value.hint


def test_a_revision_whose_version_failed_is_refused(provider, one, lines):
    with pytest.raises(UserError, match="has no model version that works"):
        provider.batch(
            MODEL, "v9-" + "0" * 12, Batch(("gs://bucket/x",), "gs://bucket/out"), Reporter(print)
        )


def test_an_abandoned_wait_names_the_job_that_continues(scripted, lines):
    from cloudserve.adapters.google.credentials import Access
    from cloudserve.adapters.google.vertex.api import VertexApi
    from cloudserve.adapters.google.vertex.batch import Batches
    from cloudserve.adapters.google.vertex.fields.options import Options
    from cloudserve.adapters.polling import Poller

    name = "projects/p/locations/us-central1/batchPredictionJobs/7"
    job = json.dumps({"name": name, "state": "JOB_STATE_RUNNING"}).encode()
    server = scripted(lambda request: (200, {"Content-Type": "application/json"}, job))
    options = Options(
        bucket="gs://b", project="p", region="us-central1", service_account="a@p", kms_key=KEY
    )
    api = VertexApi("p", "us-central1", server.url, Access({}), retries=0)
    batches = Batches(api, options, Poller(0.02, first=0.001), VERTEX)
    with pytest.raises(RemoteError, match="is not done after") as error:
        batches.run("m", "M@1", "v1", Batch(("gs://b/x",), "gs://b/out"), Reporter(lines.append))
    assert error.value.__notes__ == [f"the job continues unless it is cancelled: {name}"]
    assert lines == [f"batch prediction job {name} is running", "job: running"]
    assert json.loads(server.requests[0].body) == {
        "displayName": "cloudserve-m",
        "model": "M@1",
        "labels": VERTEX.labels("m"),
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://b/x"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://b/out"},
        },
        "dedicatedResources": {
            "machineSpec": {"machineType": "n1-standard-2"},
            "startingReplicaCount": 1,
            "maxReplicaCount": 1,
        },
        "encryptionSpec": {"kmsKeyName": KEY},
        "serviceAccount": "a@p",
    }
