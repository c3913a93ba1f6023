"""Models copied within a project, and models of buckets that lie elsewhere."""

from __future__ import annotations

import shutil

import pytest
import requests

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"


@pytest.fixture
def elsewhere(vertex):
    return vertex.parent.replace("us-central1", "europe-west4")


@pytest.fixture
def copy(vertex, elsewhere):
    """Give a function that copies into the other region and returns the operation's response."""

    def copy(source: str, **fields) -> dict:
        body = {"sourceModel": source} | fields
        return vertex.done(vertex.models.copy(parent=elsewhere, body=body))

    return copy


class TestCopies:
    def test_a_copy_in_another_region_serves_when_its_source_is_gone(self, vertex, copy, elsewhere):
        source = vertex.upload(labels={"team": "vision"}, versionAliases=["canary"])["name"]
        made = copy(source, modelId="copied")
        assert made == {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.CopyModelResponse",
            "model": f"{elsewhere}/models/copied",
            "modelVersionId": "1",
        }
        vertex.done(vertex.models.delete(name=source))
        model = vertex.models.get(name=made["model"]).execute()
        assert model["labels"] == {"team": "vision"}
        assert model["versionAliases"] == ["default"]
        assert model["modelSourceInfo"] == {"copy": True}
        endpoint = vertex.done(
            vertex.endpoints.create(parent=elsewhere, body={"displayName": "e"})
        )["name"]
        vertex.deploy(endpoint, made["model"], {"0": 100})
        url = f"{vertex.url}/v1/{endpoint}:predict"
        answer = requests.post(url, json={"instances": [2.0]}, timeout=60).json()
        assert answer["predictions"] == [4.0]

    def test_folder_objects_of_tensorflow_are_not_files_of_a_model(self, vertex, clouds, models):
        with clouds.gcs() as client:
            bucket = client.create_bucket("with-folders")
            for name in ("m/", "m/variables/", "m/assets/", "empty/", "empty/variables/"):
                bucket.blob(name).upload_from_string(b"")
            for path in (models / "double" / "1").rglob("*"):
                if path.is_file():
                    name = f"m/{path.relative_to(models / 'double' / '1')}"
                    bucket.blob(name).upload_from_filename(str(path))
        uploaded = vertex.upload("gs://with-folders/m")["name"]
        endpoint = vertex.done(
            vertex.endpoints.create(parent=vertex.parent, body={"displayName": "e"})
        )["name"]
        vertex.deploy(endpoint, uploaded, {"0": 100})
        answer = requests.post(
            f"{vertex.url}/v1/{endpoint}:predict", json={"instances": [2.0]}, timeout=60
        ).json()
        assert answer["predictions"] == [4.0]
        with pytest.raises(Exception, match="There are no files under"):
            vertex.upload("gs://with-folders/empty")

    def test_a_version_is_copied_as_a_version_of_another_model(self, vertex, copy):
        source = vertex.upload()["name"]
        vertex.upload("gs://models/triple/2", parent=source)
        first = copy(source)["model"]
        second = copy(f"{source}@2", parentModel=first)
        assert (second["model"], second["modelVersionId"]) == (first, "2")
        uris = [
            version["artifactUri"]
            for version in vertex.models.listVersions(name=first).execute()["models"]
        ]
        assert uris == ["gs://models/double/1", "gs://models/triple/2"]

    def test_the_operation_shows_what_it_does(self, vertex, elsewhere):
        source = vertex.upload()["name"]
        request = vertex.models.copy(parent=elsewhere, body={"sourceModel": source})
        operation = request.execute()
        assert operation["metadata"]["@type"].endswith(".v1.CopyModelOperationMetadata")
        assert operation["name"].startswith(f"{elsewhere}/models/")
        vertex.finish(operation)

    @pytest.mark.parametrize(
        ("fields", "refusal"),
        [
            ({}, (400, "INVALID_ARGUMENT", "The field `source_model` is required.")),
            (
                {"sourceModel": "{parent}/models/7"},
                (404, "NOT_FOUND", "Model `{parent}/models/7` not found."),
            ),
            (
                {"sourceModel": "projects/other/locations/us-central1/models/7"},
                (
                    400,
                    "INVALID_ARGUMENT",
                    (
                        "The source model `projects/other/locations/us-central1/models/7` is not in"
                        " `{project}`."
                    ),
                ),
            ),
        ],
    )
    def test_a_missing_source_is_refused(self, vertex, refused, elsewhere, fields, refusal):
        known = {"parent": vertex.parent, "project": vertex.parent.partition("/locations")[0]}
        body = {name: text.format(**known) for name, text in fields.items()}
        status, code, message = refusal
        answer = refused(vertex.models.copy(parent=elsewhere, body=body))
        assert answer == (status, code, message.format(**known))

    def test_googles_own_sdk_copies_a_model(self, sdk):
        model = sdk.Model.upload(
            display_name="m",
            artifact_uri="gs://models/double/1",
            serving_container_image_uri=IMAGE,
        )
        copied = model.copy("europe-west4", destination_model_id="copied")
        assert copied.location == "europe-west4"
        assert copied.display_name == "m"


class TestBucketsElsewhere:
    @pytest.fixture
    def bucket_in(self, clouds, models, fresh, tmp_path):
        """Give a function that makes a bucket of a location, with a model at `1/`."""

        def make(location: str) -> str:
            name = f"{fresh}-{location.lower()}"
            with clouds.gcs() as client:
                client.create_bucket(name, location=location)
            clouds.upload(name, "1/", shutil.copytree(models / "double" / "1", tmp_path / name))
            return name

        return make

    @pytest.mark.parametrize("location", ["europe-west1", "EU", "ASIA1"])
    def test_a_model_of_another_regions_bucket_is_refused_in_the_services_words(
        self, vertex, refused, bucket_in, location
    ):
        uri = f"gs://{bucket_in(location)}/1"
        model = {"displayName": "m", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}}
        assert refused(vertex.models.upload(parent=vertex.parent, body={"model": model})) == (
            400,
            "FAILED_PRECONDITION",
            (
                f"The Cloud Storage bucket of `{uri}` is in location `{location.lower()}`. It must"
                " be in the same regional location as the service location `us-central1`."
            ),
        )

    @pytest.mark.parametrize("location", ["us-central1", "US", "NAM4"])
    def test_a_bucket_of_the_region_or_around_it_will_do(self, vertex, bucket_in, location):
        assert vertex.upload(f"gs://{bucket_in(location)}/1")["versionId"] == "1"


class TestEndpointUpdates:
    def test_the_time_for_an_answer_is_changed_by_an_operation(self, vertex):
        endpoint = vertex.create_endpoint(dedicatedEndpointEnabled=True)
        value = {"inferenceTimeout": "1800s"}
        request = vertex.endpoints.update(
            name=endpoint, body={"endpoint": {"clientConnectionConfig": value}}
        )
        operation = request.execute()
        assert operation["metadata"]["@type"].endswith(".v1.UpdateEndpointOperationMetadata")
        assert vertex.finish(operation)["response"]["clientConnectionConfig"] == value
        result = vertex.endpoints.get(name=endpoint).execute()
        assert result["clientConnectionConfig"] == value

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"displayName": "x"}, ", not `display_name`."),
            ({}, "; it is required."),
        ],
    )
    def test_no_other_field_is(self, vertex, refused, fields, why):
        endpoint = vertex.create_endpoint()
        request = vertex.endpoints.update(name=endpoint, body={"endpoint": fields})
        message = f"Only the field `client_connection_config` of an endpoint can be updated so{why}"
        assert refused(request) == (400, "INVALID_ARGUMENT", message)
