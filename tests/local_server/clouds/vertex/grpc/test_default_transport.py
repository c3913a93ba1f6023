"""Google's own SDK, unmodified and with its default transport, drives a release from end to end."""

from __future__ import annotations

import asyncio

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
MACHINE = {"machine_type": "n1-standard-2"}


def upload(sdk, uri: str, **options):
    return sdk.Model.upload(
        display_name="digits", artifact_uri=uri, serving_container_image_uri=IMAGE, **options
    )


def test_a_model_is_deployed_canaried_asked_and_taken_away(grpc_sdk, aiplatform):
    from google.api_core.exceptions import NotFound

    first = upload(grpc_sdk, "gs://models/double/1", labels={"digest": "abc"})
    transport = first.api_client.transport
    assert transport.kind == "grpc"
    second = upload(
        grpc_sdk,
        "gs://models/triple/2",
        parent_model=first.resource_name,
        is_default_version=False,
        version_aliases=["canary"],
    )
    assert (second.version_id, list(second.version_aliases)) == ("2", ["canary"])

    endpoint = grpc_sdk.Endpoint.create(display_name="digits")
    endpoint.deploy(first, traffic_percentage=100, **MACHINE)
    answer = endpoint.predict([1.0, 2.5], parameters={"signature_name": "negative"})
    assert answer.predictions == [-2.0, -5.0]
    assert answer.model_resource_name == first.resource_name
    assert answer.model_version_id == "1"

    endpoint.deploy(second, traffic_percentage=10, **MACHINE)
    ids = {deployed.model_version_id: deployed.id for deployed in endpoint.list_models()}
    assert endpoint.traffic_split == {ids["1"]: 90, ids["2"]: 10}
    endpoint.update(traffic_split={ids["1"]: 0, ids["2"]: 100})
    assert endpoint.predict([1.0]).predictions == [3.0]
    assert asyncio.run(endpoint.predict_async([1.0])).predictions == [3.0]

    registry = first.versioning_registry
    registry.add_version_aliases(["default", "prod"], "2")
    aliases = {info.version_id: set(info.version_aliases) for info in registry.list_versions()}
    assert aliases == {"1": set(), "2": {"canary", "default", "prod"}}
    endpoint.undeploy(ids["1"])
    endpoint.undeploy_all()
    endpoint.delete()
    registry.delete_version("1")
    name = first.resource_name
    first.delete()
    with pytest.raises(NotFound, match=f"Model `{name}` not found"):
        grpc_sdk.Model(name)


@pytest.mark.slow
def test_an_operation_that_fails_raises_its_error(grpc_sdk):
    from google.api_core.exceptions import FailedPrecondition

    endpoint = grpc_sdk.Endpoint.create(display_name="e")
    with pytest.raises(FailedPrecondition, match="Model server exited unexpectedly"):
        endpoint.deploy(upload(grpc_sdk, "gs://models/broken/1"), **MACHINE)


def test_lists_come_in_pages_filtered_and_ordered(gapic, parent):
    endpoints = gapic("EndpointServiceClient")
    names = [
        endpoints.create_endpoint(parent=parent, endpoint={"display_name": title}).result().name
        for title in ("a", "b", "b")
    ]
    request = {"parent": parent, "page_size": 1, "order_by": "create_time desc"}
    pages = list(endpoints.list_endpoints(request).pages)
    assert [page.endpoints[0].name for page in pages] == names[::-1]
    filtered = endpoints.list_endpoints({"parent": parent, "filter": 'display_name="b"'})
    assert {endpoint.name for endpoint in filtered} == set(names[1:])


def test_the_asynchronous_client_is_answered_too(aiplatform, address, parent):
    from google.auth.credentials import AnonymousCredentials

    async def run() -> list[str]:
        client = aiplatform.gapic.EndpointServiceAsyncClient(
            credentials=AnonymousCredentials(), client_options={"api_endpoint": address}
        )
        async with client.transport.grpc_channel:
            operation = await client.create_endpoint(parent=parent, endpoint={"display_name": "e"})
            created = await operation.result()
            found = [each.name async for each in await client.list_endpoints(parent=parent)]
            assert found == [created.name]
            return found

    assert len(asyncio.run(run())) == 1


@pytest.mark.slow
def test_a_batch_prediction_runs(grpc_sdk, clouds):
    with clouds.gcs() as storage:
        blob = storage.bucket("models").blob("grpc/rows.jsonl")
        blob.upload_from_string("1.0\n5.0\n")
    job = upload(grpc_sdk, "gs://models/double/1").batch_predict(
        job_display_name="rows",
        gcs_source="gs://models/grpc/rows.jsonl",
        gcs_destination_prefix="gs://models/grpc/answers",
        machine_type="n1-standard-2",
    )
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert [each.resource_name for each in grpc_sdk.BatchPredictionJob.list()] == [
        job.resource_name
    ]
    job.delete()
