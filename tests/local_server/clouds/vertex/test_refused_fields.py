"""Fields of models, deployments and jobs that Vertex AI refuses, or that have no effect offline.

A rehearsal with one of them would be green where the cloud is red.
"""

from __future__ import annotations

import pytest

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
SCHEMA = "https://example.org/instance.yaml"


@pytest.fixture(scope="module")
def deployable(vertex_service):
    """Give a model and an endpoint of one project, for requests that are all refused."""
    vertex_service.parent = "projects/refused/locations/us-central1"
    return vertex_service.upload()["name"], vertex_service.create_endpoint()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"predictSchemata": {"instanceSchemaUri": SCHEMA}}, "predict_schemata.instance_schema"),
        ({"metadataSchemaUri": "schema.yaml"}, "not valid for `model.metadata_schema_uri`"),
        ({"pipelineJob": "projects/p/locations/l/pipelineJobs/1"}, "model.pipeline_job is not"),
        ({"defaultCheckpointId": "1"}, "model.default_checkpoint_id is not available offline."),
    ],
)
def test_a_model(vertex, refused, fields, text):
    body = {"model": {"displayName": "m", "artifactUri": "gs://models/double/1"} | fields}
    assert text in refused(vertex.models.upload(parent=vertex.parent, body=body))[2]


@pytest.mark.parametrize("account", ["robot", "a@b c", "@p.iam.gserviceaccount.com"])
def test_a_service_account_is_an_email_address(vertex, deployable, refused, account):
    model, endpoint = deployable
    deployed = {"model": model, "dedicatedResources": MACHINE, "serviceAccount": account}
    upload = {"model": {"displayName": "m", "containerSpec": {"imageUri": "gcr.io/p/i"}}}
    requests = [
        vertex.endpoints.deployModel(endpoint=endpoint, body={"deployedModel": deployed}),
        vertex.models.upload(parent=vertex.parent, body=upload | {"serviceAccount": account}),
        vertex.jobs.create(
            parent=vertex.parent, body={"displayName": "j"} | {"serviceAccount": account}
        ),
    ]
    for request in requests:
        status, code, message = refused(request)
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert message.endswith("an email address is expected.")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"checkpointId": "1"}, "deployed_model.checkpoint_id"),
        ({"gdcConnectedModel": "gemini-1.5-flash-002"}, "deployed_model.gdc_connected_model"),
        ({"fasterDeploymentConfig": {"fastTryoutEnabled": True}}, "faster_deployment_config"),
        ({"systemLabels": {"a": "b"}}, "deployed_model.system_labels"),
        ({"machineSpec": {"tpuTopology": "2x2"}}, "machine_spec.tpu_topology"),
        ({"machineSpec": {"gpuPartitionSize": "1g.10gb"}}, "machine_spec.gpu_partition_size"),
        (
            {
                "machineSpec": {
                    "reservationAffinity": {"reservationAffinityType": "ANY_RESERVATION"}
                }
            },
            "machine_spec.reservation_affinity",
        ),
    ],
)
def test_a_deployment_with_what_only_the_cloud_can_check(vertex, deployable, refused, fields, text):
    model, endpoint = deployable
    spec = MACHINE["machineSpec"] | fields.pop("machineSpec", {})
    deployed = {"model": model, "dedicatedResources": MACHINE | {"machineSpec": spec}} | fields
    request = vertex.endpoints.deployModel(endpoint=endpoint, body={"deployedModel": deployed})
    status, _, message = refused(request)
    assert (status, text in message) == (501, True)
    assert message.endswith("is not available offline.")


@pytest.mark.parametrize("count", [-1, 3])
def test_replicas_that_are_required_are_deployed(vertex, deployable, refused, count):
    model, endpoint = deployable
    resources = MACHINE | {"maxReplicaCount": 2, "requiredReplicaCount": count}
    body = {"deployedModel": {"model": model, "dedicatedResources": resources}}
    message = refused(vertex.endpoints.deployModel(endpoint=endpoint, body=body))[2]
    assert "required_replica_count` must be between 0 and" in message


def test_a_model_of_another_location(vertex, deployable, refused):
    """Ark-kun/google_cloud_mlflow#4: the service refuses it, too."""
    model, _ = deployable
    vertex.parent = "projects/refused/locations/us-east1"
    endpoint = vertex.create_endpoint()
    body = {"deployedModel": {"model": model, "dedicatedResources": MACHINE}}
    status, code, message = refused(vertex.endpoints.deployModel(endpoint=endpoint, body=body))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert "is in us-central1, and Endpoint" in message
    assert message.endswith("in us-east1: both must be in the same location.")


@pytest.mark.parametrize(
    "fields",
    [
        {"genAiAdvancedFeaturesConfig": {"ragConfig": {"enableRag": True}}},
        {"dedicatedEndpointEnabled": True, "network": "projects/1/global/networks/n"},
    ],
)
def test_an_endpoint(vertex, refused, fields):
    body = {"displayName": "e"} | fields
    assert refused(vertex.endpoints.create(parent=vertex.parent, body=body))[0] in {400, 501}


def test_an_update_of_an_outdated_reading(vertex, refused):
    name = vertex.create_endpoint()
    etag = vertex.endpoints.get(name=name).execute()["etag"]
    vertex.endpoints.patch(name=name, updateMask="description", body={"description": "d"}).execute()
    endpoint = {"clientConnectionConfig": {"inferenceTimeout": "10s"}, "etag": etag}
    assert refused(vertex.endpoints.update(name=name, body={"endpoint": endpoint}))[1] == "ABORTED"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"encryptionSpec": {"kmsKeyName": "k"}}, "encryption_spec.kms_key_name"),
        ({"encryptionSpec": {"kmsKeyName": KEY.replace("us-", "eu-")}}, "not in the resource's"),
    ],
)
def test_a_job(vertex, refused, fields, text):
    body = {"displayName": "j"} | fields
    status, _, message = refused(vertex.jobs.create(parent=vertex.parent, body=body))
    assert (status, text in message) == (400, True)


def test_a_jobs_bucket_is_in_its_region(vertex, clouds, fresh, refused):
    """Vertex AI is regional, and requires buckets of its region (python-aiplatform#885)."""
    import requests

    url = f"{clouds.url}/storage/v1/b?project=p"
    requests.post(url, json={"name": f"{fresh}-eu", "location": "EUROPE-WEST4"}, timeout=60)
    job = {
        "displayName": "j",
        "model": vertex.upload()["name"],
        "dedicatedResources": {"machineSpec": MACHINE["machineSpec"]},
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://models/i"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://{fresh}-eu/out"},
        },
    }
    status, code, message = refused(vertex.jobs.create(parent=vertex.parent, body=job))
    assert (status, code) == (400, "FAILED_PRECONDITION")
    assert "is in location `europe-west4`" in message


def test_a_copy_names_its_original_and_its_own_key(vertex):
    source = vertex.upload(encryptionSpec={"kmsKeyName": KEY})
    body = {"sourceModel": source["name"]}
    plain = vertex.done(vertex.models.copy(parent=vertex.parent, body=body))
    copy = vertex.models.get(name=plain["model"]).execute()
    assert copy["originalModelInfo"] == {"model": f"{source['name']}@1"}
    assert "encryptionSpec" not in copy
    body["encryptionSpec"] = {"kmsKeyName": KEY}
    sealed = vertex.done(vertex.models.copy(parent=vertex.parent, body=body))
    assert vertex.models.get(name=sealed["model"]).execute()["encryptionSpec"] == {
        "kmsKeyName": KEY
    }
