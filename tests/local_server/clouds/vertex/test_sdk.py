"""Google's own SDK, unmodified, drives a release from the first upload to the last delete."""

from __future__ import annotations

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
MACHINE = {"machine_type": "n1-standard-2"}


@pytest.fixture
def upload(sdk):
    """Give a function that uploads a model or a version of one."""

    def make(uri: str, **options):
        return sdk.Model.upload(
            display_name="digits", artifact_uri=uri, serving_container_image_uri=IMAGE, **options
        )

    return make


def ids_by_version(endpoint) -> dict[str, str]:
    return {deployed.model_version_id: deployed.id for deployed in endpoint.list_models()}


def test_two_versions_are_uploaded_canaried_promoted_and_taken_away(sdk, upload):
    from google.api_core.exceptions import NotFound

    first = upload("gs://models/double/1", labels={"digest": "abc"})
    assert (first.version_id, list(first.version_aliases)) == ("1", ["default"])
    second = upload(
        "gs://models/triple/2",
        parent_model=first.resource_name,
        is_default_version=False,
        version_aliases=["canary"],
    )
    assert second.resource_name == first.resource_name
    assert (second.version_id, list(second.version_aliases)) == ("2", ["canary"])

    endpoint = sdk.Endpoint.create(display_name="digits")
    endpoint.deploy(first, traffic_percentage=100, **MACHINE)
    answer = endpoint.predict([1.0, 2.5])
    assert answer.predictions == [2.0, 5.0]
    assert answer.model_resource_name == first.resource_name
    assert answer.model_version_id == "1"

    endpoint.deploy(second, traffic_percentage=10, **MACHINE)
    ids = ids_by_version(endpoint)
    assert endpoint.traffic_split == {ids["1"]: 90, ids["2"]: 10}

    endpoint.update(traffic_split={ids["1"]: 0, ids["2"]: 100})
    assert endpoint.predict([1.0]).predictions == [3.0]
    registry = first.versioning_registry
    registry.add_version_aliases(["default", "prod"], "2")
    aliases = {info.version_id: set(info.version_aliases) for info in registry.list_versions()}
    assert aliases == {"1": set(), "2": {"canary", "default", "prod"}}

    endpoint.undeploy(ids["1"])
    assert list(ids_by_version(endpoint)) == ["2"]
    endpoint.undeploy_all()
    endpoint.delete()
    registry.delete_version("1")
    assert [info.version_id for info in registry.list_versions()] == ["2"]
    name = first.resource_name
    first.delete()
    with pytest.raises(NotFound):
        sdk.Model(name)


def test_signatures_are_chosen_by_parameters(sdk, upload):
    endpoint = sdk.Endpoint.create(display_name="e")
    endpoint.deploy(upload("gs://models/double/1"), **MACHINE)
    answer = endpoint.predict([1.0], parameters={"signature_name": "negative"})
    assert answer.predictions == [-2.0]


def test_accelerators_arrive_by_their_numbers(sdk, upload):
    """Over gapic an accelerator is its enum's number, which is not its place in the list."""
    endpoint = sdk.Endpoint.create(display_name="e")
    model = upload("gs://models/double/1")
    machine = MACHINE | {"machine_type": "g2-standard-4"}
    endpoint.deploy(model, accelerator_type="NVIDIA_L4", accelerator_count=1, **machine)
    spec = endpoint.gca_resource.deployed_models[0].dedicated_resources.machine_spec
    assert spec.accelerator_type.name == "NVIDIA_L4"


def test_lists_are_filtered_and_ordered(sdk, upload):
    first = upload("gs://models/double/1", labels={"stage": "old"})
    second = upload("gs://models/double/1", labels={"stage": "new"})

    def listed(**query) -> list[str]:
        return [model.resource_name for model in sdk.Model.list(**query)]

    assert listed() == [second.resource_name, first.resource_name]
    assert listed(order_by="create_time") == [first.resource_name, second.resource_name]
    assert listed(filter='display_name="digits" AND labels.stage=old') == [first.resource_name]
    assert listed(filter='displayName="another"') == []


def test_a_model_that_does_not_load_fails_its_deployment_as_the_service_does(sdk, upload):
    from google.api_core.exceptions import FailedPrecondition

    endpoint = sdk.Endpoint.create(display_name="e")
    with pytest.raises(FailedPrecondition, match="Model server exited unexpectedly"):
        endpoint.deploy(upload("gs://models/broken/1"), **MACHINE)
    assert endpoint.list_models() == []
    endpoint.delete()


def test_updates_send_the_whole_model_and_change_what_the_mask_names(sdk, upload):
    model = upload("gs://models/double/1")
    model.update(display_name="renamed", labels={"a": "b"})
    assert sdk.Model(model.resource_name).display_name == "renamed"
    assert sdk.Model(model.resource_name).labels == {"a": "b"}


def test_the_generated_service_account_is_taken(aiplatform, clouds, fresh):
    from google.oauth2 import service_account

    path = clouds.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=service_account.Credentials.from_service_account_file(path),
        api_endpoint=clouds.url,
        api_transport="rest",
    )
    created = aiplatform.Endpoint.create(display_name="e")
    assert [item.resource_name for item in aiplatform.Endpoint.list()] == [created.resource_name]


def test_the_url_may_end_with_a_slash_as_that_of_gclouds_variable(aiplatform, clouds, fresh):
    from google.auth.credentials import AnonymousCredentials

    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=AnonymousCredentials(),
        api_endpoint=clouds.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"],
        api_transport="rest",
    )
    created = aiplatform.Endpoint.create(display_name="e")
    assert aiplatform.Endpoint(created.resource_name).display_name == "e"
