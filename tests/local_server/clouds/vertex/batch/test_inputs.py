"""The inputs of batch prediction jobs: JSON lines, TFRecords, CSV and files."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest


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
