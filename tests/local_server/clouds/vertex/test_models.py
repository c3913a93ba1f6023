"""Models: uploads, versions, aliases, updates, deletes."""

from __future__ import annotations

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
CONTAINER = {"imageUri": IMAGE}


def upload_request(vertex, model: dict, **more):
    return vertex.models.upload(parent=vertex.parent, body={"model": model} | more)


def aliases(vertex, name: str) -> dict[str, list[str]]:
    answer = vertex.models.listVersions(name=name).execute()
    return {m["versionId"]: m.get("versionAliases", []) for m in answer["models"]}


class TestUploads:
    def test_the_first_version_is_the_default(self, vertex):
        model = vertex.upload(labels={"digest": "abc"})
        assert model["versionId"] == "1"
        assert model["versionAliases"] == ["default"]
        assert model["labels"] == {"digest": "abc"}
        resources = ["DEDICATED_RESOURCES", "SHARED_RESOURCES"]
        assert model["supportedDeploymentResourcesTypes"] == resources
        assert vertex.models.get(name=model["name"]).execute() == model

    def test_a_version_moves_the_aliases_it_brings(self, vertex):
        name = vertex.upload(versionAliases=["prod"])["name"]
        vertex.upload(parent=name, versionAliases=["prod", "default"])
        assert aliases(vertex, name) == {"1": [], "2": ["prod", "default"]}
        assert vertex.models.get(name=f"{name}@prod").execute()["versionId"] == "2"

    def test_version_numbers_are_never_used_again(self, vertex):
        name = vertex.upload()["name"]
        vertex.upload(parent=name)
        vertex.done(vertex.models.deleteVersion(name=f"{name}@2"))
        assert vertex.upload(parent=name)["versionId"] == "3"

    def test_a_model_takes_the_id_it_is_given(self, vertex, refused):
        model = {"displayName": "m", "artifactUri": "gs://models/double/1"}
        request = upload_request(vertex, model | {"containerSpec": CONTAINER}, modelId="digits")
        assert vertex.done(request)["model"] == f"{vertex.parent}/models/digits"
        assert refused(request)[:2] == (409, "ALREADY_EXISTS")

    def test_deleting_the_artifact_leaves_the_uploaded_model_as_it_was(
        self, vertex, clouds, models, fresh
    ):
        clouds.upload(fresh, "m/", models / "double" / "1")
        name = vertex.upload(f"gs://{fresh}/m")["name"]
        with clouds.gcs() as client:
            bucket = client.bucket(fresh)
            bucket.delete_blobs(list(bucket.list_blobs()))
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, name, {"0": 100})
        body = {"instances": [2.0]}
        answer = vertex.endpoints.predict(endpoint=endpoint, body=body).execute()
        assert answer["predictions"] == [4.0]

    @pytest.mark.parametrize(
        ("uri", "message"),
        [
            (
                "gs://models/double",
                (
                    "Model directory gs://models/double is expected to contain exactly one of:"
                    " [saved_model.pb, saved_model.pbtxt]."
                ),
            ),
            ("gs://models/none", 'There are no files under "gs://models/none" to copy.'),
            ("gs://no-such-bucket/m", 'There are no files under "gs://no-such-bucket/m" to copy.'),
        ],
    )
    def test_a_directory_without_a_model_fails_the_operation(self, vertex, uri, message):
        model = {"displayName": "m", "artifactUri": uri, "containerSpec": CONTAINER}
        operation = vertex.finish(upload_request(vertex, model).execute())
        assert operation["error"] == {"code": 9, "message": message}
        assert vertex.models.list(parent=vertex.parent).execute() == {}

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            ({"containerSpec": CONTAINER}, "The field `model.display_name` is required."),
            ({"displayName": "m"}, "The field `model.container_spec.image_uri` is required."),
            (
                {"displayName": "m" * 129, "containerSpec": CONTAINER},
                "The field `model.display_name` has 129 characters; at most 128 are allowed.",
            ),
            (
                {"displayName": "m", "containerSpec": CONTAINER, "artifactUri": "/tmp/model"},
                '"/tmp/model" is not valid for `artifact_uri`: gs://BUCKET/PATH is expected.',
            ),
            (
                {"displayName": "m", "containerSpec": CONTAINER, "versionAliases": ["1"]},
                '"1" is not valid for `version_aliases`: [a-z][a-zA-Z0-9-]{0,126}[a-z0-9].',
            ),
        ],
    )
    def test_a_model_that_breaks_a_rule_is_refused_at_once(self, vertex, refused, model, message):
        assert refused(upload_request(vertex, model)) == (400, "INVALID_ARGUMENT", message)

    def test_a_missing_parent_is_not_found(self, vertex, refused):
        name = f"{vertex.parent}/models/none"
        request = upload_request(
            vertex, {"displayName": "m", "containerSpec": CONTAINER}, parentModel=name
        )
        assert refused(request) == (404, "NOT_FOUND", f"Model `{name}` not found.")

    def test_fields_that_the_schema_does_not_know_are_refused(self, vertex):
        body = {"model": {"displayName": "m", "imageUri": "x"}}
        status, answer = vertex.call("POST", f"{vertex.parent}/models:upload", json=body)
        assert status == 400
        assert answer["error"]["message"] == (
            "Invalid JSON payload received. Unknown name \"imageUri\" at 'model':"
            " Cannot find field."
        )


class TestAliases:
    def test_aliases_are_added_and_removed_in_one_call(self, vertex):
        name = vertex.upload(versionAliases=["old"])["name"]
        body = {"versionAliases": ["-old", "golden"]}
        changed = vertex.models.mergeVersionAliases(name=f"{name}@1", body=body).execute()
        assert changed["versionAliases"] == ["default", "golden"]

    def test_an_alias_that_is_added_and_removed_stays_as_it_was(self, vertex):
        name = vertex.upload(versionAliases=["old", "camelCase"])["name"]
        body = {"versionAliases": ["-old", "old", "new", "-new", "ends-"]}
        changed = vertex.models.mergeVersionAliases(name=f"{name}@old", body=body).execute()
        assert changed["versionAliases"] == ["old", "camelCase", "default", "ends-"]

    def test_exactly_one_version_is_the_default(self, vertex, refused):
        name = vertex.upload()["name"]
        vertex.upload(parent=name)
        merge = vertex.models.mergeVersionAliases
        merge(name=f"{name}@2", body={"versionAliases": ["default"]}).execute()
        assert aliases(vertex, name) == {"1": [], "2": ["default"]}
        status = refused(merge(name=f"{name}@2", body={"versionAliases": ["-default"]}))
        assert status[:2] == (400, "INVALID_ARGUMENT")
        assert aliases(vertex, name) == {"1": [], "2": ["default"]}

    def test_an_alias_alone_moves_no_traffic(self, vertex):
        name = vertex.upload()["name"]
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, name, {"0": 100})
        vertex.upload("gs://models/triple/2", parent=name, versionAliases=["default"])
        body = {"instances": [1.0]}
        answer = vertex.endpoints.predict(endpoint=endpoint, body=body).execute()
        assert (answer["modelVersionId"], answer["predictions"]) == ("1", [2.0])


class TestUpdates:
    def test_only_masked_fields_change_and_missing_ones_are_cleared(self, vertex):
        name = vertex.upload(description="old", labels={"a": "b"})["name"]
        patch = vertex.models.patch
        body = {"displayName": "new", "description": "ignored"}
        changed = patch(name=name, body=body, updateMask="displayName,labels").execute()
        assert changed["displayName"] == "new"
        assert changed["description"] == "old"
        assert "labels" not in changed

    @pytest.mark.parametrize("mask", ["artifactUri", "container_spec", "versionAliases", "nope"])
    def test_immutable_fields_are_refused(self, vertex, refused, mask):
        name = vertex.upload()["name"]
        request = vertex.models.patch(name=name, body={}, updateMask=mask)
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")

    def test_an_update_without_a_mask_is_refused(self, vertex, refused):
        name = vertex.upload()["name"]
        request = vertex.models.patch(name=name, body={"displayName": "new"})
        assert refused(request) == (
            400,
            "INVALID_ARGUMENT",
            "The field `update_mask` is required.",
        )

    def test_an_update_from_an_older_reading_is_refused(self, vertex, refused):
        model = vertex.upload()
        body = {"displayName": "new", "etag": model["etag"]}
        update = vertex.models.patch(name=model["name"], body=body, updateMask="displayName")
        update.execute()
        assert refused(update)[:2] == (409, "ABORTED")

    def test_a_model_and_its_versions_are_updated_separately(self, vertex, refused):
        name = vertex.upload(labels={"stage": "old"})["name"]
        vertex.upload(parent=name, labels={"stage": "new"})
        patch, get = vertex.models.patch, vertex.models.get
        before = get(name=f"{name}@1").execute()
        body = {"displayName": "renamed", "versionDescription": "second", "labels": {"of": "all"}}
        for wrong, mask in ((name, "versionDescription"), (f"{name}@2", "displayName,labels")):
            answer = refused(patch(name=wrong, body=body, updateMask=mask))
            assert answer[1] == "FAILED_PRECONDITION"
            assert answer[2].endswith("update them separately.")
        patch(name=f"{name}@2", body=body, updateMask="versionDescription").execute()
        patch(name=f"{name}@-", body=body, updateMask="displayName,labels").execute()
        first, second = (get(name=f"{name}@{number}").execute() for number in "12")
        assert (first["displayName"], second["displayName"]) == ("renamed", "renamed")
        assert (first.get("versionDescription"), second["versionDescription"]) == (None, "second")
        assert first["labels"] == {"of": "all"}
        assert second["labels"] == {"of": "all", "stage": "new"}
        assert (first["name"], second["name"]) == (f"{name}@1", f"{name}@2")
        assert first["versionUpdateTime"] == before["versionUpdateTime"]

    def test_googles_sdk_updates_the_version_that_it_names(self, sdk, vertex):
        models = {"display_name": "m", "serving_container_image_uri": IMAGE}
        first = sdk.Model.upload(artifact_uri="gs://models/double/1", **models)
        sdk.Model.upload(
            artifact_uri="gs://models/triple/2", parent_model=first.resource_name, **models
        )
        registry = first.versioning_registry
        registry.update_version("1", version_description="the first", labels={"a": "b"})
        infos = {info.version_id: info for info in registry.list_versions()}
        assert [infos[number].version_description for number in "12"] == ["the first", ""]
        assert {info.model_resource_name for info in infos.values()} == {first.resource_name}
        assert registry.get_model("1").labels == {"a": "b"}
        # Whichever version the object has read, this updates the model.
        registry.get_model("2").update(display_name="renamed")
        assert registry.get_model("1").display_name == "renamed"


class TestDeletes:
    def test_a_deployed_model_stays(self, vertex, refused):
        name = vertex.upload()["name"]
        vertex.upload(parent=name)
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, f"{name}@2")
        message = (
            "The Model is deployed or being deployed at the following Endpoint(s):"
            f" {endpoint}. Please undeploy the model before retry."
        )
        refusal = (400, "FAILED_PRECONDITION", message)
        assert refused(vertex.models.delete(name=name)) == refusal
        assert refused(vertex.models.deleteVersion(name=f"{name}@2")) == refusal
        shown = vertex.models.get(name=f"{name}@2").execute()
        assert [place["endpoint"] for place in shown["deployedModels"]] == [endpoint]

    def test_the_default_version_is_not_deleted(self, vertex, refused):
        name = vertex.upload()["name"]
        vertex.upload(parent=name)
        refusal = refused(vertex.models.deleteVersion(name=f"{name}@default"))
        assert refusal[:2] == (400, "FAILED_PRECONDITION")

    def test_a_deleted_model_and_its_files_are_gone(self, vertex, refused, clouds, poll_until):
        copies = clouds.emulator._folder.path / "vertex"
        before = set(copies.iterdir())
        name = vertex.upload()["name"]
        vertex.upload(parent=name)
        own = set(copies.iterdir()) - before
        assert len(own) == 2
        vertex.done(vertex.models.delete(name=name))
        assert refused(vertex.models.get(name=name))[:2] == (404, "NOT_FOUND")
        # The files go once nothing names them any more.
        poll_until(lambda: own & set(copies.iterdir()), lambda left: not left)


class TestLists:
    def test_pages_follow_each_other(self, vertex):
        names = [vertex.upload(displayName=f"m{n}")["name"] for n in range(3)]
        request = vertex.models.list(parent=vertex.parent, pageSize=2, orderBy="display_name")
        results: list[str] = []
        while request is not None:
            answer = request.execute()
            results += [model["name"] for model in answer["models"]]
            request = vertex.models.list_next(request, answer)
        assert results == names

    def test_a_read_mask_leaves_the_rest_out(self, vertex):
        name = vertex.upload()["name"]
        answer = vertex.models.list(parent=vertex.parent, readMask="name").execute()
        assert answer == {"models": [{"name": name}]}

    @pytest.mark.parametrize(
        "query",
        [
            {"filter": "nope=1"},
            {"filter": "display_name:m"},
            {"filter": 'create_time>"2026-01-01"'},
            {"orderBy": "labels"},
            {"pageToken": "x"},
            {"pageSize": -1},
        ],
    )
    def test_wrong_queries_are_refused(self, vertex, refused, query):
        request = vertex.models.list(parent=vertex.parent, **query)
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")

    def test_versions_are_listed_by_their_names(self, vertex, refused):
        name = vertex.upload(labels={"a": "b"})["name"]
        vertex.upload(parent=name)

        def listed(**query):
            return vertex.models.listVersions(name=name, **query)

        for query, numbers in (
            ({}, "12"),
            ({"filter": "labels.a=b"}, "1"),
            ({"orderBy": "create_time desc"}, "21"),
        ):
            names = [model["name"] for model in listed(**query).execute()["models"]]
            assert names == [f"{name}@{number}" for number in numbers]
        for wrong in ({"filter": 'display_name="m"'}, {"orderBy": "display_name"}):
            assert refused(listed(**wrong))[1] == "INVALID_ARGUMENT"
