"""Batch prediction jobs: JSON lines, TFRecords, CSV and files in, results and errors out."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}}
KINDS = ("results", "errors_stats")


class Bucket:
    """The offline bucket of one test."""

    def __init__(self, client, name: str) -> None:
        self.name = name
        self._bucket = client.bucket(name)
        self._bucket.create()

    def put(self, key: str, data: bytes) -> str:
        self._bucket.blob(key).upload_from_string(data)
        return f"gs://{self.name}/{key}"

    def lines(self, directory: str) -> dict[str, list[dict]]:
        """Return the output's files below a directory, line by line, by their names."""
        prefix = directory.removeprefix(f"gs://{self.name}/") + "/"
        return {
            blob.name.removeprefix(prefix): [
                json.loads(line) for line in blob.download_as_bytes().splitlines()
            ]
            for blob in self._bucket.list_blobs(prefix=prefix)
        }


@pytest.fixture
def bucket(clouds, fresh):
    with clouds.gcs() as client:
        yield Bucket(client, fresh)


@pytest.fixture
def model(vertex):
    return vertex.upload(displayName="double")["name"]


@pytest.fixture
def body(model, bucket):
    """Give a function that makes a job's request."""

    def make(uris: list[str], kind: str = "jsonl", **fields) -> dict:
        return {
            "displayName": "job",
            "model": model,
            "inputConfig": {"instancesFormat": kind, "gcsSource": {"uris": uris}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": f"gs://{bucket.name}/out"},
            },
            "dedicatedResources": MACHINE,
        } | fields

    return make


@pytest.fixture
def run(vertex, poll_until):
    """Give a function that creates a job and returns it as it ended."""

    def create(body: dict) -> dict:
        job = vertex.jobs.create(parent=vertex.parent, body=body).execute()
        assert job["state"] == "JOB_STATE_PENDING"
        get = vertex.jobs.get(name=job["name"])
        return poll_until(get.execute, lambda ended: "endTime" in ended)

    return create


def test_rows_of_csv_become_arrays_of_numbers_and_quoted_text(run, body, bucket):
    data = b'"x"\r\n1\r\n"a"\r\n2.5,3\r\nb\r\n\r\n-4e0\r\n'
    job = run(body([bucket.put("in.csv", data)], "csv"))
    files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
    # The model refuses text, and with it the other rows of the request.
    failed = files["prediction.errors_stats-00000-of-00001"]
    assert [line["instance"] for line in failed] == ["2.5,3", "b", [1.0], ["a"], [-4.0]]
    assert failed[0]["error"]["message"] == "The row has 2 values, and the header 1."
    assert failed[1]["error"]["message"].startswith("The row is not CSV with quoted text")
    assert job["completionStats"] == {"successfulCount": "0", "failedCount": "5"}


def test_the_key_of_a_row_is_in_the_output_and_not_sent(run, body, bucket):
    uri = bucket.put("in.csv", b'\xef\xbb\xbfid,x\n"first",1\n"second",2.5\n')
    job = run(body([uri], "csv", instanceConfig={"keyField": "id"}))
    files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
    assert files["prediction.results-00000-of-00001"] == [
        {"key": "first", "prediction": [2.0]},
        {"key": "second", "prediction": [5.0]},
    ]


def test_a_header_without_the_key_fails_its_file(run, body, bucket):
    uri = bucket.put("in.csv", b"x\n1\n")
    job = run(body([uri], "csv", instanceConfig={"keyField": "id"}))
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["partialFailures"][0]["message"] == (
        f'{uri}: The header does not have one column "id".'
    )


def test_the_files_of_a_list_become_base64(run, body, bucket):
    uri = bucket.put("image.bin", b"\x00\xff")
    listed = bucket.put("list.txt", f"{uri}\n\n{uri}none\nhttp://x/y\n".encode())
    job = run(body([listed], "file-list"))
    files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
    missing, other, refused = files["prediction.errors_stats-00000-of-00001"]
    assert missing["error"]["message"] == f"There is no file at {uri}none."
    assert other["error"]["message"] == "There is no file at http://x/y."
    # The model takes numbers.
    assert refused["instance"] == {"b64": base64.b64encode(b"\x00\xff").decode()}


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


class TestJsonLines:
    def test_each_line_is_answered_in_order(self, run, body, bucket):
        job = run(body([bucket.put("in.jsonl", b"1.0\n2.5\n\n3\n")]))
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        assert job["completionStats"] == {"successfulCount": "3", "failedCount": "0"}
        directory = job["outputInfo"]["gcsOutputDirectory"]
        assert directory.startswith(f"gs://{bucket.name}/out/prediction-double-20")
        assert bucket.lines(directory) == {
            "prediction.errors_stats-00000-of-00001": [],
            "prediction.results-00000-of-00001": [
                {"instance": 1.0, "prediction": 2.0},
                {"instance": 2.5, "prediction": 5.0},
                {"instance": 3, "prediction": 6.0},
            ],
        }

    def test_wildcards_name_files_and_each_gets_files_of_its_own(self, run, body, bucket):
        bucket.put("in/a.jsonl", b"1\n")
        bucket.put("in/b.jsonl", b"2\n")
        bucket.put("in/c.txt", b"3\n")
        bucket.put("in/below/d.jsonl", b"4\n")
        job = run(body([f"gs://{bucket.name}/in/*.jsonl"]))
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        assert files["prediction.results-00000-of-00002"] == [{"instance": 1, "prediction": 2.0}]
        assert files["prediction.results-00001-of-00002"] == [{"instance": 2, "prediction": 4.0}]

    def test_a_refused_instance_fails_all_instances_of_its_request(self, run, body, bucket):
        uri = bucket.put("in.jsonl", b'1\n"text"\n3\n4\n')
        job = run(body([uri], manualBatchTuningParameters={"batchSize": 2}))
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        assert job["completionStats"] == {"successfulCount": "2", "failedCount": "2"}
        assert [failure["code"] for failure in job["partialFailures"]] == [3]
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        results = files["prediction.results-00000-of-00001"]
        assert [line["instance"] for line in results] == [3, 4]
        errors = files["prediction.errors_stats-00000-of-00001"]
        assert [line["instance"] for line in errors] == [1, "text"]
        assert {line["error"]["status"] for line in errors} == {"INVALID_ARGUMENT"}
        assert "not of expected type: float" in errors[0]["error"]["message"]

    def test_only_a_line_that_is_not_json_fails(self, run, body, bucket):
        job = run(body([bucket.put("in.jsonl", b"1\n{nope\n3\n")]))
        assert job["completionStats"] == {"successfulCount": "2", "failedCount": "1"}
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        (error,) = files["prediction.errors_stats-00000-of-00001"]
        assert error["instance"] == "{nope"
        assert error["error"]["message"].startswith("The instance is not JSON: ")

    def test_parameters_name_the_signature(self, run, body, bucket):
        uri = bucket.put("in.jsonl", b"1\n")
        job = run(body([uri], modelParameters={"signature_name": "negative"}))
        (lines,) = [v for v in bucket.lines(job["outputInfo"]["gcsOutputDirectory"]).values() if v]
        assert lines == [{"instance": 1, "prediction": -2.0}]


class TestInstanceConfig:
    def test_a_key_names_each_result_and_is_not_sent(self, run, body, bucket):
        uri = bucket.put("in.jsonl", b'{"x": 1.5, "id": "a"}\n{"x": 2, "id": 7}\n{"x": 3}\n')
        job = run(body([uri], instanceConfig={"keyField": "id"}))
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        assert files["prediction.results-00000-of-00001"] == [
            {"key": "a", "prediction": 3.0},
            {"key": 7, "prediction": 4.0},
        ]
        (error,) = files["prediction.errors_stats-00000-of-00001"]
        assert error["error"]["message"] == 'The instance has no field "id".'

    def test_excluded_fields_are_not_sent_but_shown(self, run, body, bucket):
        uri = bucket.put("in.jsonl", b'{"x": 1.5, "note": "n"}\n')
        job = run(body([uri], instanceConfig={"excludedFields": ["note"]}))
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        assert files["prediction.results-00000-of-00001"] == [
            {"instance": {"x": 1.5, "note": "n"}, "prediction": 3.0}
        ]


@pytest.fixture(scope="module")
def bytes_model(clouds, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URI of a model that measures the strings it gets."""
    import tensorflow as tf

    class Measure(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="data")])
        def measure(self, data):
            return {"length": tf.strings.length(data)}

    folder = tmp_path_factory.mktemp("measure")
    module = Measure()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.measure})
    clouds.upload("measure", "m/", folder)
    return "gs://measure/m"


class TestTfRecords:
    @pytest.fixture
    def records(self, tmp_path) -> bytes:
        """Give the file that TensorFlow writes for two records."""
        import tensorflow as tf

        path = tmp_path / "records"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(b"abc")
            writer.write(b"\x00" * 5)
        return Path(path).read_bytes()

    @pytest.mark.parametrize("kind", ["tf-record", "tf-record-gzip"])
    def test_each_record_is_sent_as_base64(
        self, vertex, run, body, bucket, bytes_model, records, kind
    ):
        data = gzip.compress(records) if kind.endswith("gzip") else records
        model = vertex.upload(bytes_model)["name"]
        job = run(body([bucket.put("in", data)], kind) | {"model": model})
        files = bucket.lines(job["outputInfo"]["gcsOutputDirectory"])
        assert files["prediction.results-00000-of-00001"] == [
            {"instance": {"b64": base64.b64encode(b"abc").decode()}, "prediction": 3},
            {"instance": {"b64": base64.b64encode(b"\x00" * 5).decode()}, "prediction": 5},
        ]

    def test_a_damaged_file_fails_from_where_it_is_damaged(
        self, vertex, run, body, bucket, bytes_model, records
    ):
        model = vertex.upload(bytes_model)["name"]
        job = run(body([bucket.put("in", records[:-3])], "tf-record") | {"model": model})
        assert job["completionStats"] == {"successfulCount": "0", "failedCount": "1"}
        assert job["state"] == "JOB_STATE_FAILED"
        assert "is truncated within a record" in job["partialFailures"][0]["message"]


class TestJobs:
    def test_an_input_that_does_not_exist_fails_the_job(self, run, body, bucket):
        job = run(body([f"gs://{bucket.name}/none"]))
        assert job["state"] == "JOB_STATE_FAILED"
        text = f"There is no file at the input gs://{bucket.name}/none."
        assert job["error"] == {"code": 5, "message": text}

    def test_an_output_without_a_bucket_fails_the_job(self, run, body, bucket):
        request = body([bucket.put("in", b"1\n")])
        request["outputConfig"]["gcsDestination"]["outputUriPrefix"] = "gs://no-such-bucket/out"
        job = run(request)
        assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 5)

    def test_a_model_that_does_not_load_fails_the_job(self, vertex, run, body, bucket):
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
        self, vertex, refused, body, bucket, change, status, message
    ):
        request = body([f"gs://{bucket.name}/in"]) | change
        refusal = refused(vertex.jobs.create(parent=vertex.parent, body=request))
        assert refusal[0] == status
        assert refusal[2].startswith(message)
        assert vertex.jobs.list(parent=vertex.parent).execute() == {}

    def test_jobs_are_found_by_the_names_of_their_models(self, vertex, run, body, bucket, refused):
        run(body([bucket.put("in", b"1\n")]))

        def found(words: str):
            return vertex.jobs.list(parent=vertex.parent, filter=words)

        for words in ('model_display_name="double"', 'display_name:"jo*"'):
            assert len(found(words).execute()["batchPredictionJobs"]) == 1
        assert found('model_display_name!="double"').execute() == {}
        assert refused(found("model_display_name:double"))[1] == "INVALID_ARGUMENT"

    def test_an_ended_job_is_listed_filtered_and_deleted(self, vertex, refused, run, body, bucket):
        job = run(body([bucket.put("in", b"1\n")], labels={"a": "b"}))
        listed = vertex.jobs.list(
            parent=vertex.parent, filter='state="JOB_STATE_SUCCEEDED" AND labels.a=b'
        )
        assert [item["name"] for item in listed.execute()["batchPredictionJobs"]] == [job["name"]]
        assert vertex.jobs.cancel(name=job["name"], body={}).execute() == {}
        assert vertex.jobs.get(name=job["name"]).execute() == job
        vertex.done(vertex.jobs.delete(name=job["name"]))
        assert refused(vertex.jobs.get(name=job["name"]))[:2] == (404, "NOT_FOUND")

    def test_a_job_explains_what_it_predicts(self, run, body, bucket):
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

    def test_a_spec_that_does_not_fit_the_model_fails_its_job(self, run, body, bucket):
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

    def test_googles_own_sdk_runs_a_job(self, sdk, bucket, poll_until):
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
