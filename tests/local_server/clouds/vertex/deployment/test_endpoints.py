"""Endpoints and what is deployed to them: machines, traffic, changes, deletes."""

from __future__ import annotations

import pytest

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}


@pytest.fixture
def model(vertex):
    return vertex.upload()["name"]


def split_of(vertex, endpoint: str) -> dict:
    return vertex.endpoints.get(name=endpoint).execute().get("trafficSplit", {})


class TestEndpoints:
    def test_an_endpoint_takes_the_id_it_is_given(self, vertex, refused):
        create = vertex.endpoints.create(
            parent=vertex.parent, endpointId="digits", body={"displayName": "e"}
        )
        assert vertex.done(create)["name"] == f"{vertex.parent}/endpoints/digits"
        assert refused(create)[:2] == (409, "ALREADY_EXISTS")

    @pytest.mark.parametrize("wanted", ["Digits", "digits-", "0123", "1234567890", "d_e"])
    def test_an_id_that_breaks_the_rule_is_refused(self, vertex, refused, wanted):
        create = vertex.endpoints.create(
            parent=vertex.parent, endpointId=wanted, body={"displayName": "e"}
        )
        assert refused(create)[:2] == (400, "INVALID_ARGUMENT")

    def test_a_dedicated_endpoint_has_a_domain_of_its_own(self, vertex):
        name = vertex.create_endpoint(dedicatedEndpointEnabled=True)
        dns = vertex.endpoints.get(name=name).execute()["dedicatedEndpointDns"]
        assert dns.startswith(f"{name.rpartition('/')[2]}.us-central1-")
        assert dns.endswith(".prediction.vertexai.goog")

    def test_an_endpoint_with_a_model_stays(self, vertex, refused, model):
        endpoint = vertex.create_endpoint()
        deployed = vertex.deploy(endpoint, model)
        assert refused(vertex.endpoints.delete(name=endpoint)) == (
            400,
            "FAILED_PRECONDITION",
            (
                f"Endpoint `{endpoint}` has deployed or being deployed DeployedModel(s):"
                f" {deployed}. Please undeploy them before retry."
            ),
        )

    def test_a_missing_endpoint_is_reported_with_the_services_text(self, vertex, refused):
        name = f"{vertex.parent}/endpoints/404"
        refusal = (404, "NOT_FOUND", f"Endpoint `{name}` not found.")
        assert refused(vertex.endpoints.get(name=name)) == refusal
        assert refused(vertex.endpoints.delete(name=name)) == refusal
        predict = vertex.endpoints.predict(endpoint=name, body={"instances": [1]})
        assert refused(predict) == refusal


class TestDeployments:
    def test_a_deployment_is_shown_at_its_endpoint(self, vertex, model):
        endpoint = vertex.create_endpoint()
        identity = vertex.deploy(endpoint, f"{model}@default", {"0": 100}, id="77")
        (deployed,) = vertex.endpoints.get(name=endpoint).execute()["deployedModels"]
        assert deployed["id"] == identity == "77"
        assert deployed["model"] == f"{model}@default"
        assert deployed["modelVersionId"] == "1"
        assert deployed["displayName"] == "m"
        assert deployed["dedicatedResources"] == MACHINE | {"maxReplicaCount": 1}
        assert deployed["status"] == {"availableReplicaCount": 1}
        assert split_of(vertex, endpoint) == {"77": 100}

    def test_without_a_split_a_deployment_gets_no_traffic(self, vertex, model):
        endpoint = vertex.create_endpoint()
        first = vertex.deploy(endpoint, model, {"0": 100})
        vertex.deploy(endpoint, model)
        assert split_of(vertex, endpoint) == {first: 100}

    @pytest.mark.parametrize(
        ("split", "message"),
        [
            ({"0": 90}, "The traffic split adds up to 90; it must be 100, or empty."),
            ({"0": 60, "5": 40}, "The following DeployedModel ID(s) [5] do not exist."),
            ({"0": -5}, "The traffic share of DeployedModel `0` is -5, not 0 to 100."),
        ],
    )
    def test_a_split_must_add_up_over_the_deployed_models(
        self, vertex, refused, model, split, message
    ):
        body = {
            "deployedModel": {"model": model, "dedicatedResources": MACHINE},
            "trafficSplit": split,
        }
        request = vertex.endpoints.deployModel(endpoint=vertex.create_endpoint(), body=body)
        assert refused(request) == (400, "INVALID_ARGUMENT", message)

    @pytest.mark.parametrize(
        ("deployed", "message"),
        [
            ({}, "'automatic_resources' is not supported for Model projects/"),
            (
                {"automaticResources": {"minReplicaCount": 1}},
                "'automatic_resources' is not supported for Model projects/",
            ),
            (
                {"dedicatedResources": MACHINE, "automaticResources": {"minReplicaCount": 1}},
                "Only one of `dedicated_resources` and `automatic_resources` may be set.",
            ),
            (
                {"dedicatedResources": {"minReplicaCount": 1}},
                "The field `dedicated_resources.machine_spec` is required.",
            ),
            (
                {"dedicatedResources": MACHINE | {"minReplicaCount": 0}},
                "The field `dedicated_resources.min_replica_count` must be at least 1.",
            ),
            (
                {"dedicatedResources": MACHINE | {"minReplicaCount": 3, "maxReplicaCount": 2}},
                "The field `dedicated_resources.max_replica_count` is 2, less than",
            ),
            (
                {
                    "dedicatedResources": MACHINE
                    | {
                        "machineSpec": {
                            "machineType": "n1-standard-4",
                            "acceleratorType": "NVIDIA_TESLA_T4",
                        }
                    }
                },
                "The fields `dedicated_resources.machine_spec.accelerator_type` and",
            ),
            (
                {"dedicatedResources": MACHINE | {"machineSpec": {"machineType": "n1-standard-3"}}},
                'Machine type "n1-standard-3" is not supported.',
            ),
            ({"dedicatedResources": MACHINE, "id": "x"}, '"x" is not valid'),
        ],
    )
    def test_machines_that_break_a_rule_are_refused(
        self, vertex, refused, model, deployed, message
    ):
        body = {"deployedModel": {"model": model} | deployed}
        request = vertex.endpoints.deployModel(endpoint=vertex.create_endpoint(), body=body)
        status, code, text = refused(request)
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert text.startswith(message)

    def test_an_id_belongs_to_one_deployment(self, vertex, refused, model):
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, model, id="7")
        body = {"deployedModel": {"model": model, "id": "7", "dedicatedResources": MACHINE}}
        request = vertex.endpoints.deployModel(endpoint=endpoint, body=body)
        assert refused(request)[:2] == (409, "ALREADY_EXISTS")

    def test_a_model_that_does_not_load_ends_its_operation_with_the_reason(self, vertex):
        model = vertex.upload("gs://models/broken/1")["name"]
        endpoint = vertex.create_endpoint()
        body = {"deployedModel": {"model": model, "dedicatedResources": MACHINE}}
        request = vertex.endpoints.deployModel(endpoint=endpoint, body=body)
        ended = vertex.finish(request.execute())
        assert ended["metadata"]["deploymentStage"] == "FAILED_TO_DEPLOY"
        error = ended["error"]
        assert error["code"] == 9
        assert error["message"].startswith(
            "Model server exited unexpectedly. Model server logs, kept offline: "
        )
        assert "deployedModels" not in vertex.endpoints.get(name=endpoint).execute()

    def test_an_image_of_the_users_takes_a_base_path_and_serves_its_highest_version(
        self, vertex, clouds, models, fresh
    ):
        """TensorFlow Serving with model_base_path=$(AIP_STORAGE_URI) needs numbered folders."""
        clouds.upload(fresh, "base/", models / "double")
        clouds.upload(fresh, "base/", models / "triple")
        image = {"imageUri": "us-docker.pkg.dev/p/serving/tf:2.21"}
        model = vertex.upload(f"gs://{fresh}/base", containerSpec=image)["name"]
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, model, {"0": 100})
        body = {"instances": [1.0]}
        answer = vertex.endpoints.predict(endpoint=endpoint, body=body).execute()
        assert answer["predictions"] == [3.0]

    def test_an_image_without_artifacts_cannot_run_here_and_says_so(self, vertex):
        body = {
            "model": {
                "displayName": "m",
                "containerSpec": {"imageUri": "gcr.io/p/serving"},
            }
        }
        answer = vertex.done(vertex.models.upload(parent=vertex.parent, body=body))
        body = {"deployedModel": {"model": answer["model"], "dedicatedResources": MACHINE}}
        request = vertex.endpoints.deployModel(endpoint=vertex.create_endpoint(), body=body)
        assert "has no artifact_uri" in vertex.finish(request.execute())["error"]["message"]


class TestTraffic:
    def test_a_patch_of_the_split_moves_traffic(self, vertex, model):
        endpoint = vertex.create_endpoint()
        first, second = (vertex.deploy(endpoint, model) for _ in range(2))
        split = {first: 30, second: 70}
        patch = vertex.endpoints.patch(
            name=endpoint, body={"trafficSplit": split}, updateMask="trafficSplit"
        )
        assert patch.execute()["trafficSplit"] == split

    def test_a_patch_may_stop_all_traffic(self, vertex, refused, model):
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, model, {"0": 100})
        vertex.endpoints.patch(name=endpoint, body={}, updateMask="traffic_split").execute()
        request = vertex.endpoints.predict(endpoint=endpoint, body={"instances": [1]})
        assert refused(request) == (
            400,
            "FAILED_PRECONDITION",
            f"Endpoint {endpoint} doesn't have traffic_split.",
        )

    def test_a_deployment_with_traffic_is_not_undeployed(self, vertex, refused, model):
        endpoint = vertex.create_endpoint()
        first = vertex.deploy(endpoint, model, {"0": 100})
        second = vertex.deploy(endpoint, model)
        undeploy = vertex.endpoints.undeployModel
        refusal = refused(undeploy(endpoint=endpoint, body={"deployedModelId": first}))
        assert refusal[:2] == (400, "FAILED_PRECONDITION")
        body = {"deployedModelId": first, "trafficSplit": {second: 100}}
        vertex.done(undeploy(endpoint=endpoint, body=body))
        assert split_of(vertex, endpoint) == {second: 100}

    def test_the_last_deployment_leaves_an_empty_split(self, vertex, model):
        endpoint = vertex.create_endpoint()
        only = vertex.deploy(endpoint, model, {"0": 100})
        body = {"deployedModelId": only}
        vertex.done(vertex.endpoints.undeployModel(endpoint=endpoint, body=body))
        shown = vertex.endpoints.get(name=endpoint).execute()
        assert "trafficSplit" not in shown
        assert "deployedModels" not in shown


class TestMutations:
    @pytest.fixture
    def endpoint(self, vertex, model):
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, model, id="1")
        return endpoint

    def test_replicas_change_and_the_rest_stays(self, vertex, endpoint):
        body = {
            "deployedModel": {
                "id": "1",
                "dedicatedResources": {
                    "machineSpec": {"machineType": "other"},
                    "minReplicaCount": 2,
                    "maxReplicaCount": 5,
                },
            },
            "updateMask": (
                "dedicatedResources.minReplicaCount,dedicated_resources.max_replica_count"
            ),
        }
        answer = vertex.done(vertex.endpoints.mutateDeployedModel(endpoint=endpoint, body=body))
        changed = answer["deployedModel"]["dedicatedResources"]
        assert changed == MACHINE | {"minReplicaCount": 2, "maxReplicaCount": 5}
        (shown,) = vertex.endpoints.get(name=endpoint).execute()["deployedModels"]
        assert shown["dedicatedResources"] == changed

    @pytest.mark.parametrize(
        "mask", ["model", "dedicatedResources", "dedicatedResources.machineSpec", "serviceAccount"]
    )
    def test_an_immutable_field_is_refused(self, vertex, refused, endpoint, mask):
        body = {"deployedModel": {"id": "1"}, "updateMask": mask}
        request = vertex.endpoints.mutateDeployedModel(endpoint=endpoint, body=body)
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")
