from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from googleapiclient.errors import HttpError

P = "projects/p"
SETTINGS = {"runtimeVersion": "2.11", "pythonVersion": "3.7", "framework": "TENSORFLOW"}
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@pytest.fixture(scope="module")
def ml(clouds):
    client = clouds.ml()
    yield client
    client.close()


@pytest.fixture
def model(ml, fresh):
    """Give the full name of a new model."""
    return ml.projects().models().create(parent=P, body={"name": fresh}).execute()["name"]


@pytest.fixture
def add(ml, poll_until):
    """Give a function that creates a version and returns its finished operation."""

    def create(model: str, name: str, uri: str, **more) -> dict:
        body = {"name": name, "deploymentUri": uri} | SETTINGS | more
        operation = ml.projects().models().versions().create(parent=model, body=body).execute()
        return finish(operation)

    def finish(operation: dict) -> dict:
        get = ml.projects().operations().get(name=operation["name"])
        return poll_until(get.execute, lambda answer: answer.get("done", False))

    create.finish = finish
    return create


def refusal(request) -> tuple[int, str, str, object]:
    """Execute a request that must fail; return status, status name, message and details."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    error = caught.value
    import json

    name = json.loads(error.content)["error"]["status"]
    return error.resp.status, name, error.reason, error.error_details


def names(answer: dict, key: str) -> list[str]:
    return [item["name"].rpartition("/")[2] for item in answer.get(key, [])]


class TestTheWholeStory:
    def test_versions_are_created_predicted_promoted_and_deleted(self, ml, model, add):
        versions, predict = ml.projects().models().versions(), ml.projects().predict
        first = add(model, "v1", "gs://models/double/1", labels={"digest": "abc"})
        assert first["response"]["@type"] == "type.googleapis.com/google.cloud.ml.v1.Version"
        assert first["response"]["state"] == "READY"
        assert first["response"]["isDefault"] is True
        assert first["metadata"]["operationType"] == "CREATE_VERSION"
        assert first["metadata"]["modelName"] == model
        assert first["metadata"]["labels"] == {"digest": "abc"}

        second = add(model, "v2", "gs://models/triple/2/")
        assert "isDefault" not in second["response"]
        body = {"instances": [1, 2.5]}
        assert predict(name=model, body=body).execute() == {"predictions": [2.0, 5.0]}
        named = predict(name=f"{model}/versions/v2", body=body).execute()
        assert named == {"predictions": [3.0, 7.5]}

        promoted = versions.setDefault(name=f"{model}/versions/v2", body={}).execute()
        assert promoted["name"] == f"{model}/versions/v2"
        assert promoted["isDefault"] is True
        assert predict(name=model, body=body).execute() == {"predictions": [3.0, 7.5]}
        shown = ml.projects().models().get(name=model).execute()
        assert shown["defaultVersion"]["name"] == f"{model}/versions/v2"

        deleted = add.finish(versions.delete(name=f"{model}/versions/v1").execute())
        assert deleted["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
        assert names(versions.list(parent=model).execute(), "versions") == ["v2"]
        add.finish(versions.delete(name=f"{model}/versions/v2").execute())
        assert "defaultVersion" not in ml.projects().models().get(name=model).execute()
        assert ml.projects().models().delete(name=model).execute()["done"] is True
        assert refusal(ml.projects().models().get(name=model))[0] == 404

    def test_the_signature_comes_from_the_body(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        body = {"instances": [1.0], "signature_name": "negative"}
        assert ml.projects().predict(name=model, body=body).execute() == {"predictions": [-2.0]}

    def test_a_new_version_is_being_created_until_its_operation_is_done(self, ml, model, add):
        body = {"name": "v1", "deploymentUri": "gs://models/double/1"} | SETTINGS
        operation = ml.projects().models().versions().create(parent=model, body=body).execute()
        assert operation["metadata"]["version"]["state"] == "CREATING"
        assert operation["name"].startswith(f"{P}/operations/create_{model.rpartition('/')[2]}_v1-")
        assert "endTime" in add.finish(operation)["metadata"]

    def test_a_real_model_of_tensorflow_serving_answers(
        self, clouds, shared_models, ml, model, add
    ):
        clouds.upload("real", "half/", shared_models / "tfs_half_plus_two_2v")
        add(model, "v1", "gs://real/half/123")
        answer = ml.projects().predict(name=model, body={"instances": [1.0, 2.0, 5.0]}).execute()
        assert answer == {"predictions": [2.5, 3.0, 4.5]}


class TestModelsThatDoNotLoad:
    def test_a_broken_model_ends_failed_with_the_reason(self, ml, model, add):
        operation = add(model, "v1", "gs://models/broken/1")
        prefix = 'Create Version failed. Bad model detected with error: "'
        assert operation["error"]["message"].startswith(prefix)
        assert "response" not in operation
        version = ml.projects().models().versions().get(name=f"{model}/versions/v1").execute()
        assert version["state"] == "FAILED"
        assert version["errorMessage"] == operation["error"]["message"]

    def test_a_failed_version_does_not_become_the_default_or_predict(self, ml, model, add):
        add(model, "v1", "gs://models/broken/1")
        assert "defaultVersion" not in ml.projects().models().get(name=model).execute()
        name = f"{model}/versions/v1"
        status, code, message, _ = refusal(ml.projects().predict(name=name, body={}))
        assert (status, code) == (400, "FAILED_PRECONDITION")
        assert "Online prediction is unavailable for this version" in message
        promote = ml.projects().models().versions().setDefault(name=name, body={})
        assert refusal(promote)[1] == "FAILED_PRECONDITION"
        body = {"defaultVersion": {"name": "v1"}}
        patch = (
            ml.projects().models().patch(name=model, updateMask="default_version.name", body=body)
        )
        assert refusal(patch)[1] == "FAILED_PRECONDITION"
        assert "defaultVersion" not in ml.projects().models().get(name=model).execute()

    def test_a_failed_version_can_be_replaced_and_is_the_first_then(self, ml, model, add):
        add(model, "v1", "gs://models/broken/1")
        gone = ml.projects().models().versions().delete(name=f"{model}/versions/v1").execute()
        add.finish(gone)
        assert add(model, "v1", "gs://models/double/1")["response"]["isDefault"] is True

    @pytest.mark.parametrize(
        "uri", ["gs://models/double", "gs://models/nothing", "gs://no-bucket/x"]
    )
    def test_a_directory_without_a_saved_model_is_refused_at_once(self, ml, model, uri):
        body = {"name": "v1", "deploymentUri": uri} | SETTINGS
        create = ml.projects().models().versions().create(parent=model, body=body)
        description = (
            f"With v1 endpoint, the model directory {uri} is expected to contain exactly one of"
            " the following: 'saved_model.pb' file or 'saved_model.pbtxt' file. Please use"
            " SavedModel."
        )
        violation = {"field": "version.deployment_uri", "description": description}
        assert refusal(create) == (
            400,
            "FAILED_PRECONDITION",
            f"Field: version.deployment_uri Error: {description}",
            [{"@type": BAD_REQUEST, "fieldViolations": [violation]}],
        )
        assert ml.projects().models().versions().list(parent=model).execute() == {}

    def test_a_models_refusal_is_an_error_in_a_successful_answer(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        answer = ml.projects().predict(name=model, body={"instances": ["text"]}).execute()
        assert list(answer) == ["error"]
        assert answer["error"].startswith("Prediction failed: ")


class TestRefusals:
    def test_a_taken_model_name(self, ml, model, fresh):
        assert refusal(ml.projects().models().create(parent=P, body={"name": fresh})) == (
            409,
            "ALREADY_EXISTS",
            "Field: model.name Error: A model with the same name already exists.",
            [
                {
                    "@type": BAD_REQUEST,
                    "fieldViolations": [
                        {
                            "field": "model.name",
                            "description": "A model with the same name already exists.",
                        }
                    ],
                }
            ],
        )

    def test_a_taken_version_name(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        body = {"name": "v1", "deploymentUri": "gs://models/double/1"} | SETTINGS
        create = ml.projects().models().versions().create(parent=model, body=body)
        assert refusal(create)[:3] == (
            409,
            "ALREADY_EXISTS",
            "Field: version.name Error: A version with the same name already exists.",
        )

    def test_exactly_one_of_many_creations_of_one_version_wins(self, clouds, ml, model, add):
        body = {"name": "v1", "deploymentUri": "gs://models/double/1"} | SETTINGS

        def create(_):
            client = clouds.ml()
            try:
                request = client.projects().models().versions().create(parent=model, body=body)
                return request.execute()
            except HttpError as error:
                return error.resp.status
            finally:
                client.close()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(create, range(8)))
        won = [answer for answer in answers if isinstance(answer, dict)]
        assert [answer for answer in answers if answer not in won] == [409] * 7
        assert add.finish(won[0])["response"]["state"] == "READY"

    @pytest.mark.parametrize("name", ["1st", "a-b", "", "ä", "x" * 129])
    def test_names_that_break_the_rule(self, ml, name):
        status, code, message, _ = refusal(
            ml.projects().models().create(parent=P, body={"name": name})
        )
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert message.startswith("Field: model.name Error: The name ")

    def test_a_missing_model(self, ml):
        text = (
            'Field: name Error: The model resource: "nope" was not found. Please create the model'
            " resource first by using 'gcloud ai-platform models create nope'."
        )
        assert refusal(ml.projects().predict(name=f"{P}/models/nope", body={}))[:3] == (
            404,
            "NOT_FOUND",
            text,
        )

    def test_the_default_version_cannot_be_deleted_while_there_are_others(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        add(model, "v2", "gs://models/triple/2")
        delete = ml.projects().models().versions().delete(name=f"{model}/versions/v1")
        assert refusal(delete)[1] == "FAILED_PRECONDITION"

    def test_a_model_with_versions_cannot_be_deleted(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        assert refusal(ml.projects().models().delete(name=model))[1] == "FAILED_PRECONDITION"

    def test_a_body_past_the_payload_limit(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        body = {"instances": [1.0] * 400_000}
        assert refusal(ml.projects().predict(name=model, body=body))[:3] == (
            400,
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 1572864 bytes.",
        )

    def test_a_field_that_the_discovery_document_does_not_know(self, ml, model):
        create = ml.projects().models().versions().create(parent=model, body={"x": 1})
        assert refusal(create)[:3] == (
            400,
            "INVALID_ARGUMENT",
            "Invalid JSON payload received. Unknown name \"x\" at 'version': Cannot find field.",
        )

    def test_a_method_that_is_not_emulated_is_a_typed_error(self, ml):
        assert refusal(ml.projects().jobs().list(parent=P))[:3] == (
            501,
            "UNIMPLEMENTED",
            "projects.jobs.list is not available offline.",
        )

    def test_settings_that_cannot_be_served_offline(self, ml, model):
        body = {
            "name": "v1",
            "deploymentUri": "gs://models/double/1",
            **SETTINGS,
            "framework": "XGBOOST",
        }
        create = ml.projects().models().versions().create(parent=model, body=body)
        assert refusal(create)[1] == "UNIMPLEMENTED"

    def test_a_prediction_class_and_a_framework_exclude_each_other(self, ml, model):
        body = {
            "name": "v1",
            "deploymentUri": "gs://models/double/1",
            **SETTINGS,
            "framework": "TENSORFLOW",
            "predictionClass": "module.Class",
        }
        create = ml.projects().models().versions().create(parent=model, body=body)
        status, code, message = refusal(create)[:3]
        assert (status, code) == (400, "FAILED_PRECONDITION")
        assert message == (
            'Field: prediction_class Error: Exactly one of "prediction_class" and "framework" may'
            ' be provided. In order to use a custom prediction class, "framework" should be left'
            " unspecified."
        )

    def test_an_update_from_an_older_reading(self, ml, model):
        body = {"description": "new", "etag": "AAAAAAAAAAA="}
        patch = ml.projects().models().patch(name=model, body=body, updateMask="description")
        assert refusal(patch)[:2] == (409, "ABORTED")


class TestUpdates:
    def test_a_patch_changes_what_the_mask_names_and_no_more(self, ml, model):
        body = {"description": "new", "labels": {"a": "b"}}
        patch = ml.projects().models().patch(name=model, body=body, updateMask="description")
        assert patch.execute()["response"]["description"] == "new"
        assert "labels" not in ml.projects().models().get(name=model).execute()

    def test_a_version_description_is_patched(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        name = f"{model}/versions/v1"
        versions = ml.projects().models().versions()
        versions.patch(name=name, body={"description": "d"}, updateMask="description").execute()
        assert versions.get(name=name).execute()["description"] == "d"

    def test_the_default_version_can_be_patched(self, ml, model, add):
        add(model, "v1", "gs://models/double/1")
        add(model, "v2", "gs://models/triple/2")
        body = {"defaultVersion": {"name": "v2"}}
        patch = (
            ml.projects().models().patch(name=model, body=body, updateMask="default_version.name")
        )
        assert patch.execute()["response"]["defaultVersion"]["isDefault"] is True

    @pytest.mark.parametrize("mask", [None, "", "regions", "default_version"])
    def test_a_mask_must_name_what_can_be_changed(self, ml, model, mask):
        patch = ml.projects().models().patch(name=model, body={}, updateMask=mask)
        assert refusal(patch)[:2] == (400, "INVALID_ARGUMENT")


class TestListings:
    def test_an_empty_project_lists_as_an_empty_object(self, ml):
        assert ml.projects().models().list(parent="projects/empty").execute() == {}

    def test_pages_follow_each_other(self, ml):
        models = ml.projects().models()
        wanted = [f"m{number}" for number in range(5)]
        for name in wanted:
            models.create(parent="projects/pages", body={"name": name}).execute()
        request, observed = models.list(parent="projects/pages", pageSize=2), []
        while request is not None:
            answer = request.execute()
            observed.append(names(answer, "models"))
            request = models.list_next(request, answer)
        assert observed == [["m0", "m1"], ["m2", "m3"], ["m4"]]

    def test_a_wrong_page_token_is_refused(self, ml):
        request = ml.projects().models().list(parent=P, pageToken="!")
        assert refusal(request)[:3] == (
            400,
            "INVALID_ARGUMENT",
            "Field: page_token Error: Invalid page token.",
        )

    def test_operations_are_listed(self, ml, add):
        parent = "projects/operating"
        model = ml.projects().models().create(parent=parent, body={"name": "m"}).execute()["name"]
        operation = add(model, "v1", "gs://models/double/1")
        listed = ml.projects().operations().list(name=parent).execute()
        assert listed["operations"] == [operation]

    def test_a_filter_chooses_by_fields(self, ml, model, add):
        add(model, "v1", "gs://models/double/1", labels={"stage": "prod"})
        add(model, "v2", "gs://models/broken/1")
        versions = ml.projects().models().versions()

        def chosen(text: str) -> list[str]:
            return names(versions.list(parent=model, filter=text).execute(), "versions")

        assert chosen("state:FAILED") == ["v2"]
        assert chosen("labels.stage=prod") == ["v1"]
        assert chosen("name:v* AND isDefault=true") == ["v1"]

    def test_a_wrong_filter_is_refused(self, ml):
        request = ml.projects().models().list(parent=P, filter="nope=1")
        assert refusal(request)[:3] == (
            400,
            "INVALID_ARGUMENT",
            "Field: filter Error: 'nope' is not a field that can be filtered by.",
        )


def test_a_model_that_the_runtime_does_not_restore_fails_every_request(
    ml, model, add, clouds, keras_saved, fresh
):
    clouds.upload(fresh, "dense/1/", keras_saved)
    assert add(model, "v1", f"gs://{fresh}/dense/1")["response"]["state"] == "READY"
    body = {"instances": [[1.0, 2.0, 3.0]]}
    answer = ml.projects().predict(name=model, body=body).execute()
    assert "Could not find variable sequential/dense/" in answer["error"]
