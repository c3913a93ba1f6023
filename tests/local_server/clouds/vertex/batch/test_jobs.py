"""Batch prediction jobs: what they refuse, how they end, what they answer."""

from __future__ import annotations

import pytest

from tests.local_server.clouds.vertex.batch.conftest import MACHINE

KINDS = ("results", "errors_stats")


def test_the_model_is_in_the_jobs_location(vertex, refused, body):
    """BatchPredictionJob.model "must share the same ancestor Location"."""
    elsewhere = vertex.parent.replace("us-central1", "europe-west4")
    create = vertex.jobs.create(parent=elsewhere, body=body(["gs://models/x"]))
    assert refused(create)[1] == "INVALID_ARGUMENT"
    assert vertex.jobs.list(parent=elsewhere).execute() == {}


def test_a_job_starts_with_no_more_machines_than_it_has(vertex, refused, body):
    machines = MACHINE | {"startingReplicaCount": 3, "maxReplicaCount": 2}
    job = body(["gs://models/x"], dedicatedResources=machines)
    status, _, message = refused(vertex.jobs.create(parent=vertex.parent, body=job))
    assert status == 400
    assert "`starting_replica_count` is 3" in message


def test_an_input_that_does_not_exist_fails_the_job(run, body, bucket):
    job = run(body([f"gs://{bucket.name}/none"]))
    assert job["state"] == "JOB_STATE_FAILED"
    text = f"There is no file at the input gs://{bucket.name}/none."
    assert job["error"] == {"code": 5, "message": text}


def test_an_output_without_a_bucket_fails_the_job(run, body, bucket):
    request = body([bucket.put("in", b"1\n")])
    request["outputConfig"]["gcsDestination"]["outputUriPrefix"] = "gs://no-such-bucket/out"
    job = run(request)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 5)


def test_a_model_that_does_not_load_fails_the_job(vertex, run, body, bucket):
    model = vertex.upload("gs://models/broken/1")["name"]
    job = run(body([bucket.put("in", b"1\n")]) | {"model": model})
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == 9


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"dedicatedResources": None}, 400, "The Model does not support automatic resources"),
        ({"displayName": ""}, 400, "The field `batch_prediction_job.display_name`"),
        ({"inputConfig": {"instancesFormat": "jsonl"}}, 400, "The field `input_config."),
        ({"outputConfig": {"predictionsFormat": "csv"}}, 501, 'predictions_format "csv"'),
        (
            {"instanceConfig": {"includedFields": ["a"], "excludedFields": ["b"]}},
            400,
            "Invalid instance_config: included_fields and excluded_fields",
        ),
        ({"model": "projects/p/locations/us-central1/models/none"}, 404, "Model `projects/p/"),
        (
            {
                "inputConfig": {
                    "instancesFormat": "bigquery",
                    "bigquerySource": {"inputUri": "bq://p.d.t"},
                }
            },
            501,
            "input_config.bigquery_source is not available offline: there are no BigQuery",
        ),
        (
            {
                "inputConfig": {
                    "instancesFormat": "csv",
                    "gcsSource": {"uris": ["gs://models/x"]},
                },
                "instanceConfig": {"includedFields": ["a"]},
            },
            400,
            'instance_config.included_fields does not apply to instances_format "csv"',
        ),
        (
            {
                "inputConfig": {
                    "instancesFormat": "tf-record",
                    "gcsSource": {"uris": ["gs://models/x"]},
                },
                "instanceConfig": {"instanceType": "object"},
            },
            400,
            'instance_config.instance_type does not apply to instances_format "tf-record"',
        ),
        (
            {
                "inputConfig": {
                    "instancesFormat": "tf-record-gzip",
                    "gcsSource": {"uris": ["gs://models/x"]},
                },
                "instanceConfig": {"keyField": "id"},
            },
            501,
            "instance_config.key_field of TFRecord files is not available offline.",
        ),
        (
            {"unmanagedContainerModel": {"artifactUri": "gs://models/x"}},
            501,
            "batch_prediction_job.unmanaged_container_model is not available offline.",
        ),
        (
            {"explanationSpec": {"parameters": {}}},
            400,
            "An explanation_spec can be specified only if generate_explanation is true.",
        ),
        (
            {"generateExplanation": True},
            400,
            "If generate_explanation is true, either the Model.explanation_spec or",
        ),
    ],
)
def test_a_job_that_breaks_a_rule_is_refused_at_once(
    vertex, refused, body, bucket, change, status, message
):
    request = body([f"gs://{bucket.name}/in"]) | change
    refusal = refused(vertex.jobs.create(parent=vertex.parent, body=request))
    assert refusal[0] == status
    assert refusal[2].startswith(message)
    assert vertex.jobs.list(parent=vertex.parent).execute() == {}


def test_jobs_are_found_by_the_names_of_their_models(vertex, run, body, bucket, refused):
    run(body([bucket.put("in", b"1\n")]))

    def found(words: str):
        return vertex.jobs.list(parent=vertex.parent, filter=words)

    for words in ('model_display_name="double"', 'display_name:"jo*"'):
        assert len(found(words).execute()["batchPredictionJobs"]) == 1
    assert found('model_display_name!="double"').execute() == {}
    assert refused(found("model_display_name:double"))[1] == "INVALID_ARGUMENT"


def test_an_ended_job_is_listed_filtered_and_deleted(vertex, refused, run, body, bucket):
    job = run(body([bucket.put("in", b"1\n")], labels={"a": "b"}))
    listed = vertex.jobs.list(
        parent=vertex.parent, filter='state="JOB_STATE_SUCCEEDED" AND labels.a=b'
    )
    assert [item["name"] for item in listed.execute()["batchPredictionJobs"]] == [job["name"]]
    assert vertex.jobs.cancel(name=job["name"], body={}).execute() == {}
    assert vertex.jobs.get(name=job["name"]).execute() == job
    vertex.done(vertex.jobs.delete(name=job["name"]))
    assert refused(vertex.jobs.get(name=job["name"]))[:2] == (404, "NOT_FOUND")


def test_a_job_explains_what_it_predicts(run, body, bucket):
    """The model doubles its input, so all of a prediction is the input's."""
    spec = {"parameters": {"sampledShapleyAttribution": {"pathCount": 1}}}
    uri = bucket.put("in.jsonl", b'3\n"text"\n')
    more = {"manualBatchTuningParameters": {"batchSize": 1}}
    job = run(body([uri], generateExplanation=True, explanationSpec=spec, **more))
    files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
    ((line,), (error,)) = (files[f"prediction.{kind}-00000-of-00001"] for kind in KINDS)
    (attribution,) = line.pop("explanation")["attributions"]
    assert line == {"instance": 3, "prediction": 6.0}
    (share,) = attribution["featureAttributions"].values()
    assert (share, attribution["instanceOutputValue"]) == (6.0, 6.0)
    assert error["instance"] == "text"


def test_a_spec_that_does_not_fit_the_model_fails_its_job(run, body, bucket):
    spec = {
        "parameters": {"sampledShapleyAttribution": {"pathCount": 1}},
        "metadata": {
            "inputs": {"i": {"inputTensorName": "no"}},
            "outputs": {"o": {"outputTensorName": "y"}},
        },
    }
    uri = bucket.put("in.jsonl", b"3\n")
    job = run(body([uri], generateExplanation=True, explanationSpec=spec))
    assert job["state"] == "JOB_STATE_FAILED"
    assert "KeyError: 'no'" in job["error"]["message"]


def test_googles_own_sdk_runs_a_job(sdk, bucket, poll_until):
    model = sdk.Model.upload(
        display_name="m",
        artifact_uri="gs://models/double/1",
        serving_container_image_uri="us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
    )
    job = model.batch_predict(
        job_display_name="job",
        gcs_source=bucket.put("in.jsonl", b"4\n"),
        gcs_destination_prefix=f"gs://{bucket.name}/out",
        machine_type="n1-standard-2",
        sync=False,
    )
    job.wait_for_resource_creation()
    poll_until(lambda: job.state.name, lambda state: state == "JOB_STATE_SUCCEEDED")
    files = bucket.lines(job.output_info.gcs_output_directory)
    assert {"instance": 4, "prediction": 8.0} in files["prediction.results-00000-of-00001"]
