"""Models written back into a bucket."""

from __future__ import annotations

import re

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"


def config(prefix: str = "gs://tests/out", **fields) -> dict:
    return {"outputConfig": {"artifactDestination": {"outputUriPrefix": prefix}, **fields}}


@pytest.fixture
def export(vertex):
    def export(name: str, body: dict) -> dict:
        return vertex.finish(vertex.models.export(name=name, body=body).execute())

    return export


@pytest.fixture
def bucket(clouds, fresh):
    with clouds.gcs() as client:
        yield client.create_bucket(fresh)


def test_the_files_of_a_version_come_as_they_were_uploaded(vertex, export, bucket, models, fresh):
    name = vertex.upload(displayName="double")["name"]
    operation = export(name, config(f"gs://{fresh}/out"))
    type_url = "type.googleapis.com/google.cloud.aiplatform.v1."
    assert operation["response"] == {"@type": f"{type_url}ExportModelResponse"}
    assert operation["metadata"]["@type"] == f"{type_url}ExportModelOperationMetadata"
    uri = operation["metadata"]["outputInfo"]["artifactOutputUri"]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"gs://{fresh}/out/model-export-double-{time}/", uri)
    prefix = uri.removeprefix(f"gs://{fresh}/")
    written = {
        blob.name.removeprefix(prefix): blob.download_as_bytes()
        for blob in bucket.list_blobs(prefix=prefix)
    }
    folder = models / "double" / "1"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert written == {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_model_says_how_it_is_exported(vertex):
    model = vertex.upload()
    assert model["supportedExportFormats"] == [
        {"id": "custom-trained", "exportableContents": ["ARTIFACT"]}
    ]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {},
            "INVALID_ARGUMENT",
            "The field `output_config.artifact_destination.output_uri_prefix` is required.",
        ),
        (
            config("tests/out"),
            "INVALID_ARGUMENT",
            (
                '"tests/out" is not valid for'
                " `output_config.artifact_destination.output_uri_prefix`: gs://BUCKET/PATH is"
                " expected."
            ),
        ),
        (
            config(exportFormatId="tflite"),
            "FAILED_PRECONDITION",
            "Model `{name}` cannot be exported in the format `tflite`.",
        ),
        (
            config(imageDestination={"outputUri": "us-docker.pkg.dev/p/r/i"}),
            "UNIMPLEMENTED",
            "output_config.image_destination is not available offline.",
        ),
    ],
)
def test_an_unsupported_export_is_refused(vertex, refused, body, code, message):
    name = vertex.upload()["name"]
    _, *refusal = refused(vertex.models.export(name=name, body=body))
    assert refusal == [code, message.format(name=name)]


def test_a_bucket_that_does_not_exist_fails_the_operation(vertex, export, fresh):
    operation = export(vertex.upload()["name"], config(f"gs://{fresh}-none/x"))
    message = f"The output's bucket gs://{fresh}-none does not exist."
    assert operation["error"] == {"code": 5, "message": message}


def test_googles_own_sdk_exports_a_model(sdk, bucket, fresh):
    model = sdk.Model.upload(
        display_name="m",
        artifact_uri="gs://models/double/1",
        serving_container_image_uri=IMAGE,
    )
    info = model.export_model("custom-trained", artifact_destination=f"gs://{fresh}/sdk")
    assert info["artifactOutputUri"].startswith(f"gs://{fresh}/sdk/model-export-m-")
