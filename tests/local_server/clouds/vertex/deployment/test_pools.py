"""Deployment resource pools, by googleapiclient and by Google's SDK over both transports."""

from __future__ import annotations

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
OTHER = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-14:latest"
RESOURCES = {"machineSpec": {"machineType": "n1-standard-4"}, "minReplicaCount": 1}
SPEC = {
    "parameters": {"sampledShapleyAttribution": {"pathCount": 1}},
    "metadata": {
        "inputs": {"x": {"inputTensorName": "x"}},
        "outputs": {"y": {"outputTensorName": "y"}},
    },
}


@pytest.fixture
def pools(vertex, vertex_service):
    """Give the methods of pools, and a function that creates one."""
    methods = vertex_service._service.projects().locations().deploymentResourcePools()

    def create(pool_id: str = "shared", **fields) -> dict:
        pool = {"dedicatedResources": RESOURCES} | fields
        body = {"deploymentResourcePoolId": pool_id, "deploymentResourcePool": pool}
        return methods.create(parent=vertex.parent, body=body)

    methods.make = lambda *names, **fields: vertex.done(create(*names, **fields))
    methods.request = create
    return methods


def shared(vertex, endpoint: str, model: str, pool: str, **fields):
    deployed = {"model": model, "sharedResources": pool} | fields
    return vertex.endpoints.deployModel(endpoint=endpoint, body={"deployedModel": deployed})


def test_models_of_two_endpoints_share_a_pool(vertex, pools):
    pool = pools.make(disableContainerLogging=True)
    assert pool["name"] == f"{vertex.parent}/deploymentResourcePools/shared"
    assert pool["dedicatedResources"] == RESOURCES | {"maxReplicaCount": 1}
    name, model = pool["name"], vertex.upload()["name"]
    triple = vertex.upload("gs://models/triple/2")["name"]
    refs = []
    for each in (model, triple):
        endpoint = vertex.create_endpoint()
        # An ID that the caller chose is unique on its endpoint only.
        answer = vertex.done(shared(vertex, endpoint, each, name, id="7"))
        deployed = answer["deployedModel"]["id"]
        split = {"trafficSplit": {deployed: 100}}
        vertex.endpoints.patch(name=endpoint, updateMask="trafficSplit", body=split).execute()
        refs.append({"endpoint": endpoint, "deployedModelId": deployed})
    answers = [
        vertex.endpoints.predict(endpoint=ref["endpoint"], body={"instances": [1.0]}).execute()
        for ref in refs
    ]
    assert [answer["predictions"] for answer in answers] == [[2.0], [3.0]]
    (shown,) = vertex.endpoints.get(name=refs[0]["endpoint"]).execute()["deployedModels"]
    assert (shown["sharedResources"], "dedicatedResources" in shown) == (name, False)
    assert shown["status"]["availableReplicaCount"] == 1

    found = pools.queryDeployedModels(deploymentResourcePool=name).execute()
    assert (found["totalDeployedModelCount"], found["totalEndpointCount"]) == (2, 2)
    key = lambda ref: ref["endpoint"]  # noqa: E731
    assert sorted(found["deployedModelRefs"], key=key) == sorted(refs, key=key)
    assert {each["model"] for each in found["deployedModels"]} == {model, triple}
    first = pools.queryDeployedModels(deploymentResourcePool=name, pageSize=1).execute()
    assert (len(first["deployedModelRefs"]), "nextPageToken" in first) == (1, True)
    assert len(first["deployedModels"]) == 1


def test_a_machine_type_is_optional(pools):
    pool = pools.make(dedicatedResources={"machineSpec": {}, "minReplicaCount": 1})
    assert pool["dedicatedResources"]["machineSpec"] == {"machineType": "n1-standard-2"}


def test_a_pool_in_use_is_not_deleted(vertex, pools, refused):
    name, endpoint = pools.make()["name"], vertex.create_endpoint()
    answer = vertex.done(shared(vertex, endpoint, vertex.upload()["name"], name))
    deployed = answer["deployedModel"]["id"]
    _, code, message = refused(pools.delete(name=name))
    assert (code, f"DeployedModel(s): {deployed}." in message) == ("FAILED_PRECONDITION", True)
    body = {"deployedModelId": deployed}
    vertex.done(vertex.endpoints.undeployModel(endpoint=endpoint, body=body))
    assert pools.queryDeployedModels(deploymentResourcePool=name).execute() == {}
    vertex.done(pools.delete(name=name))
    assert refused(pools.get(name=name))[1] == "NOT_FOUND"
    assert pools.list(parent=vertex.parent).execute() == {}


def test_pools_are_listed_by_name(vertex, pools):
    names = [pools.make(pool_id)["name"] for pool_id in ("b", "a")]
    listed = pools.list(parent=vertex.parent).execute()["deploymentResourcePools"]
    assert [pool["name"] for pool in listed] == sorted(names)


@pytest.mark.parametrize(
    ("pool_id", "fields", "text"),
    [
        ("", {}, "deployment_resource_pool_id` is required"),
        ("1st", {}, "is not valid for `deployment_resource_pool_id`"),
        ("ends-", {}, "is not valid for `deployment_resource_pool_id`"),
        ("a" * 64, {}, "is not valid for `deployment_resource_pool_id`"),
        ("p", {"dedicatedResources": {}}, "dedicated_resources` is required"),
        ("p", {"dedicatedResources": RESOURCES | {"minReplicaCount": 0}}, "at least 1"),
        (
            "p",
            {"dedicatedResources": {"machineSpec": {"machineType": "n9"}, "minReplicaCount": 1}},
            'Machine type "n9" is not supported.',
        ),
        ("p", {"serviceAccount": "robot"}, "an email address is expected"),
        ("p", {"encryptionSpec": {"kmsKeyName": "k"}}, "encryption_spec.kms_key_name"),
    ],
)
def test_a_pool_that_cannot_be(pools, refused, pool_id, fields, text):
    status, code, message = refused(pools.request(pool_id, **fields))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert text in message


def test_a_name_is_taken_once(pools, refused):
    pools.make()
    assert refused(pools.request())[1] == "ALREADY_EXISTS"


def test_models_that_cannot_share_a_pool_are_refused(vertex, pools, refused):
    name, endpoint, model = pools.make()["name"], vertex.create_endpoint(), vertex.upload()["name"]
    other = vertex.upload(containerSpec={"imageUri": OTHER})["name"]
    own = vertex.upload(containerSpec={"imageUri": "us-docker.pkg.dev/p/r/serving:1"})["name"]
    explained = vertex.upload(explanationSpec=SPEC)["name"]
    vertex.done(shared(vertex, endpoint, model, name))

    def said(*wanted, **fields) -> str:
        return refused(shared(vertex, endpoint, *wanted, **fields))[2]

    assert said(model, f"{name}-2") == f"DeploymentResourcePool `{name}-2` not found."
    assert said(other, name).endswith(f"models of another image, such as {OTHER}, cannot share it.")
    assert said(own, name) == f"'shared_resources' is not supported for Model {own}."
    assert said(explained, name).startswith("Model explanation is not supported")
    assert "Only one of" in said(model, name, dedicatedResources=RESOURCES)
    vertex.done(shared(vertex, endpoint, explained, name, disableExplanations=True))
    (deployed, _) = vertex.endpoints.get(name=endpoint).execute()["deployedModels"]
    change = {"id": deployed["id"], "disableContainerLogging": True}
    body = {"deployedModel": change, "updateMask": "disableContainerLogging"}
    mutated = refused(vertex.endpoints.mutateDeployedModel(endpoint=endpoint, body=body))
    assert mutated[2] == "A DeployedModel with shared_resources has no machines to mutate."


def test_two_deployments_that_begin_at_once_have_one_image(vertex, pools, refused):
    name, model = pools.make()["name"], vertex.upload()["name"]
    other = vertex.upload(containerSpec={"imageUri": OTHER})["name"]
    first, second = vertex.create_endpoint(), vertex.create_endpoint()
    begun = shared(vertex, first, model, name).execute()
    message = refused(shared(vertex, second, other, name))[2]
    assert message.endswith(f"models of another image, such as {OTHER}, cannot share it.")
    assert "response" in vertex.finish(begun)


def test_an_update_of_a_pool_is_refused_by_name(pools, refused):
    """Which of its fields can change is not documented."""
    name = pools.make()["name"]
    request = pools.patch(name=name, updateMask="disableContainerLogging", body={})
    assert refused(request)[:2] == (501, "UNIMPLEMENTED")


def test_pool_and_endpoint_have_the_same_key(vertex, pools, refused):
    key = f"projects/p/{vertex.parent.partition('/')[2].partition('/')[2]}/keyRings/r/cryptoKeys/k"
    name = pools.make(encryptionSpec={"kmsKeyName": key})["name"]
    endpoint = vertex.create_endpoint()
    request = shared(vertex, endpoint, vertex.upload()["name"], name)
    assert "need to have the same encryption_spec" in refused(request)[2]


@pytest.mark.parametrize("transport", [pytest.param("rest", marks=pytest.mark.slow), "grpc"])
def test_googles_sdk_creates_uses_and_deletes_a_pool(aiplatform, clouds, fresh, transport):
    from google.auth.credentials import AnonymousCredentials

    host = clouds.url if transport == "rest" else clouds.url.removeprefix("http://")
    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=AnonymousCredentials(),
        api_endpoint=host,
        api_transport=transport,
    )
    pool = aiplatform.DeploymentResourcePool.create(
        deployment_resource_pool_id="shared", machine_type="n1-standard-4"
    )
    model = aiplatform.Model.upload(
        display_name="m",
        artifact_uri="gs://models/double/1",
        serving_container_image_uri=IMAGE,
    )
    endpoint = aiplatform.Endpoint.create(display_name="e")
    endpoint.deploy(model, deployment_resource_pool=pool, traffic_percentage=100)
    assert endpoint.predict([1.0]).predictions == [2.0]
    ((used,),) = pool.query_deployed_models()  # of each page
    assert used.endpoint == endpoint.resource_name
    assert [each.name for each in aiplatform.DeploymentResourcePool.list()] == ["shared"]
    endpoint.undeploy_all()
    pool.delete()
    assert aiplatform.DeploymentResourcePool.list() == []
