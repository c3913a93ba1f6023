"""What the official SDK asks for that is not offline, and the jobs that it can run."""

from __future__ import annotations

import json

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
NETWORK = "projects/123/global/networks/default"


@pytest.fixture
def model(sdk):
    return sdk.Model.upload(
        display_name="m", artifact_uri="gs://models/double/1", serving_container_image_uri=IMAGE
    )


@pytest.fixture
def files(clouds, fresh):
    """Give a function that writes an object and returns its URI, and one that reads results."""
    with clouds.gcs() as client:
        bucket = client.bucket(fresh)
        bucket.create()

        def put(name: str, data: bytes) -> str:
            bucket.blob(name).upload_from_string(data)
            return f"gs://{fresh}/{name}"

        def results(directory: str) -> list:
            prefix = f"{directory.removeprefix(f'gs://{fresh}/')}/prediction.results"
            (blob,) = bucket.list_blobs(prefix=prefix)
            return [json.loads(line) for line in blob.download_as_bytes().splitlines()]

        yield put, results


def test_evaluations_are_refused_by_name(model):
    from google.api_core.exceptions import MethodNotImplemented

    for ask in (model.list_model_evaluations, model.get_model_evaluation):
        with pytest.raises(MethodNotImplemented, match=r"models\.evaluations\.list is not"):
            ask()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (
            {"bigquery_source": "bq://p.d.t", "gcs_destination_prefix": "gs://models/out"},
            "input_config.bigquery_source is not available offline: there are no BigQuery tables",
        ),
        (
            {"gcs_source": "gs://models/in.jsonl", "bigquery_destination_prefix": "bq://p"},
            "output_config.bigquery_destination is not available offline",
        ),
    ],
)
def test_bigquery_is_refused_by_name(model, place, text):
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented, match=text):
        model.batch_predict(job_display_name="j", machine_type="n1-standard-2", **place)


def test_explanations_of_a_job_need_a_spec(model):
    from google.api_core.exceptions import BadRequest

    with pytest.raises(BadRequest, match=r"either the Model\.explanation_spec or explanation_spec"):
        model.batch_predict(
            job_display_name="j",
            gcs_source="gs://models/in.jsonl",
            gcs_destination_prefix="gs://models/out",
            machine_type="n1-standard-2",
            generate_explanation=True,
        )


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "file-list"])
def test_a_job_reads_tables_and_lists_of_files(model, files, poll_until, form):
    put, results = files
    source = {
        "csv": lambda: put("in.csv", b"x\n4\n1.5\n"),
        "file-list": lambda: put("list.txt", put("a.bin", b"\x00\x01").encode()),
    }
    job = model.batch_predict(
        job_display_name="j",
        gcs_source=source[form](),
        instances_format=form,
        gcs_destination_prefix=put("out", b""),
        machine_type="n1-standard-2",
        sync=False,
    )
    job.wait_for_resource_creation()
    ended = poll_until(
        lambda: job.state.name,
        lambda state: (
            state.startswith("JOB_STATE_") and state in {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"}
        ),
    )
    if form == "csv":
        # A row is an array, as the service makes it.
        assert ended == "JOB_STATE_SUCCEEDED"
        assert results(job.output_info.gcs_output_directory) == [
            {"instance": [4.0], "prediction": [8.0]},
            {"instance": [1.5], "prediction": [3.0]},
        ]
    else:
        # The file arrives as base64, which this model of numbers refuses.
        assert ended == "JOB_STATE_FAILED"
        assert job.completion_stats.failed_count == 1


@pytest.mark.slow
def test_a_private_endpoint_is_made_and_not_reached_from_outside(sdk, model):
    from google.api_core.exceptions import BadRequest

    endpoint = sdk.PrivateEndpoint.create(display_name="e", network=NETWORK)
    endpoint.deploy(model, machine_type="n1-standard-2")
    assert endpoint.gca_resource.network == NETWORK
    assert [deployed.display_name for deployed in endpoint.list_models()] == ["m"]
    public = sdk.Endpoint(endpoint.resource_name)
    with pytest.raises(BadRequest, match="is private and cannot be accessed"):
        public.predict([1.0])
