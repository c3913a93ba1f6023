"""What people report that Vertex AI refuses, replayed against the offline Vertex AI."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import TENSORFLOW, check_refused


def upload(image):
    """Return a step that uploads the good model for a container image."""
    return lambda clouds: clouds.vertex.upload(image)


def deploy(artifact="half/1", **machine):
    """Return a step that deploys a folder of the bucket on a machine."""
    return lambda clouds: clouds.vertex.deploy(clouds.vertex.upload(artifact=artifact), **machine)


def deploy_split(**split):
    """Return a step that deploys the good model with this traffic split."""
    return lambda clouds: clouds.vertex.deploy(clouds.vertex.upload(), split=split)


def upload_from_another_region(clouds):
    """Upload a model whose files are in a bucket of europe-west4."""
    bucket = clouds.gcs.create_bucket(clouds.name, location="EUROPE-WEST4")
    bucket.blob("m/1/saved_model.pb").upload_from_string(b"never read")
    spec = {"imageUri": TENSORFLOW}
    uri = f"gs://{clouds.name}/m/1"
    model = {"displayName": "half", "artifactUri": uri, "containerSpec": spec}
    vertex = clouds.vertex
    vertex.done(vertex.locations.models().upload(parent=vertex.parent, body={"model": model}))


def create_endpoint_twice(clouds):
    """Create an endpoint of an id that is taken."""
    vertex = clouds.vertex
    for _ in range(2):
        request = vertex.locations.endpoints().create(
            parent=vertex.parent, endpointId="half", body={"displayName": "half"}
        )
        vertex.done(request)


def delete_endpoint(clouds):
    """Delete an endpoint with a model on it."""
    endpoint = clouds.vertex.deploy(clouds.vertex.upload())
    clouds.vertex.done(clouds.vertex.locations.endpoints().delete(name=endpoint))


def delete_model(clouds):
    """Delete a model that is deployed."""
    model = clouds.vertex.upload()
    clouds.vertex.deploy(model)
    clouds.vertex.done(clouds.vertex.locations.models().delete(name=model))


def undeploy_with_traffic(clouds):
    """Undeploy one of two models that have traffic."""
    endpoints, model = clouds.vertex.locations.endpoints(), clouds.vertex.upload()
    endpoint = clouds.vertex.deploy(model)
    existing = endpoints.get(name=endpoint).execute()["deployedModels"][0]["id"]
    clouds.vertex.deploy(model, endpoint, split={"0": 50, existing: 50})
    body = {"deployedModelId": existing}
    clouds.vertex.done(endpoints.undeployModel(endpoint=endpoint, body=body))


def ask(**body):
    """Return a step that asks the good model."""

    def step(clouds):
        endpoint = clouds.vertex.deploy(clouds.vertex.upload())
        clouds.vertex.predict(endpoint, **body)

    return step


def ask_in_another_region(clouds):
    """Ask for an endpoint where it is not."""
    endpoint = clouds.vertex.endpoint()
    clouds.vertex.predict(endpoint.replace("us-central1", "europe-west4"), instances=[1.0])


def ask_dedicated_endpoint(clouds):
    """Ask a dedicated endpoint at the host that all others share."""
    endpoint = clouds.vertex.endpoint(dedicatedEndpointEnabled=True)
    clouds.vertex.deploy(clouds.vertex.upload(), endpoint)
    clouds.vertex.predict(endpoint, instances=[1.0])


NO_SPLIT = r"400: Endpoint projects/report-\d+/locations/\S+ doesn't have traffic_split\."
REPORTS = [
    pytest.param(
        upload("docker.io/tensorflow/serving:2.19.0"),
        "This URI must identify an image in Artifact Registry or Container Registry.",
        "aiplatform v1, ModelContainerSpec.imageUri",
        r'400: "docker\.io/tensorflow/serving:2\.19\.0" is not valid for `image_uri`: it must'
        r" identify an image in Artifact Registry or Container Registry\.",
        id="an image of Docker Hub",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-16:latest"),
        "there is no such image",
        "google-cloud-aiplatform, constants/prediction.py: the newest is 2.15",
        r"400: The image \S+/tf2-cpu\.2-16:latest is not one of the prebuilt images for"
        r" inference\.",
        id="a prebuilt image that never was",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:v1"),
        "Using image names without the latest tag isn't supported.",
        "Vertex AI, prebuilt containers for inference",
        r"400: The image \S+/tf2-cpu\.2-15:v1 is not one of the prebuilt images for inference\.",
        id="a prebuilt image without the latest tag",
    ),
    pytest.param(
        upload("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-5:latest"),
        "Model directory … is expected to contain exactly one of: [model.pkl, model.joblib].",
        "GoogleCloudPlatform/vertex-ai-samples#1165",
        r"400: The image \S+ is not available offline: of the prebuilt ones only those of"
        r" TensorFlow are, not sklearn\.",
        id="a prebuilt image of scikit-learn with a SavedModel",
    ),
    pytest.param(
        lambda clouds: clouds.vertex.upload(artifact="half"),
        "Model directory … is expected to contain exactly one of: [saved_model.pb, …]",
        "GoogleCloudPlatform/vertex-ai-samples#1165, of another framework's files",
        r"9: Model directory gs://models/half is expected to contain exactly one of:"
        r" \[saved_model\.pb, saved_model\.pbtxt\]\.",
        id="an artifact URI one folder above the SavedModel",
    ),
    pytest.param(
        lambda clouds: clouds.vertex.upload(artifact="half/1/saved_model.pb"),
        "the directory that contains the model artifact; there are no files under a file",
        "aiplatform v1, Model.artifactUri",
        r'9: There are no files under "gs://models/half/1/saved_model\.pb" to copy\.',
        id="an artifact URI of the file",
    ),
    pytest.param(
        upload_from_another_region,
        "The Cloud Storage bucket of … is in location …. It must be in the same regional location",
        "GoogleCloudPlatform/vertex-ai-samples#19; training-data-analyst#1373",
        r".*: The Cloud Storage bucket of `gs://report-\d+/m/1` is in location `europe-west4`\. It"
        r" must be in the same regional location as the service location `us-central1`\.",
        id="a bucket of another region",
    ),
    pytest.param(
        deploy("gone-op/1"),
        "400 Model server exited unexpectedly. Model server logs can be found at …",
        "googleapis/python-aiplatform#4559; vertex-ai-samples#2103, #3485",
        r"9: Model server exited unexpectedly\. .*No OpKernel was registered to support Op"
        r" 'BoostedTreesBucketize' .*",
        id="a model whose op the image's TensorFlow does not have",
    ),
    pytest.param(
        deploy("warm-up/1"),
        "400 Model server exited unexpectedly. Model server logs can be found at …",
        "tensorflow/serving#1562; Vertex AI, Optimized TensorFlow runtime: the pre-built images "
        "are TensorFlow Serving",
        r"9: Model server exited unexpectedly\. .*corrupted record at 0 .*",
        id="warm-up records that are not TFRecords",
    ),
    pytest.param(
        deploy("cut/1"),
        "400 Model server exited unexpectedly. Model server logs can be found at …",
        "googleapis/python-aiplatform#4559; the upload of SeldonIO/MLServer's model was cut off",
        r"9: Model server exited unexpectedly\. .*variables\.data-00000-of-00001; No such file.*",
        id="a model without its file of variables",
    ),
    pytest.param(
        deploy(machineType="ml.m5.large"),
        'Machine type "…" is not supported.',
        "Vertex AI, compute resources for inference",
        r'400: Machine type "ml\.m5\.large" is not supported\.',
        id="a machine of another cloud",
    ),
    pytest.param(
        deploy(machineType="e2-standard-2", acceleratorType="NVIDIA_TESLA_T4", acceleratorCount=1),
        'Accelerator "…" is not supported for machine type "…"',
        "Vertex AI, compute resources for inference: GPUs go with N1 and accelerator machines",
        r'400: Accelerator "NVIDIA_TESLA_T4" is not supported for machine type "e2-standard-2"',
        id="an accelerator on a machine that takes none",
    ),
    pytest.param(
        deploy_split(**{"0": 90}),
        "the traffic percentage values must add up to 100",
        "aiplatform v1, Endpoint.trafficSplit",
        r"400: The traffic split adds up to 90; it must be 100, or empty\.",
        id="a traffic split of 90",
    ),
    pytest.param(
        create_endpoint_twice,
        "409 ALREADY_EXISTS",
        "aiplatform v1, projects.locations.endpoints.create, endpointId",
        r"409: Endpoint `\S+/endpoints/half` already exists\.",
        id="an endpoint that exists",
    ),
    pytest.param(
        delete_endpoint,
        "Endpoint … has deployed or being deployed DeployedModel(s): …",
        "the service's words to endpoints.delete; google-cloud-aiplatform, Endpoint.delete(force)",
        r"400: Endpoint `\S+` has deployed or being deployed DeployedModel\(s\): \d+\..*",
        id="the removal of an endpoint with a model",
    ),
    pytest.param(
        delete_model,
        "The Model is deployed or being deployed at the following Endpoint(s): …",
        "the service's words to models.delete",
        r"400: The Model is deployed or being deployed at the following Endpoint\(s\): .*",
        id="the removal of a model that is deployed",
    ),
    pytest.param(
        undeploy_with_traffic,
        "the DeployedModel must have no traffic, or this call must take it",
        "aiplatform v1, UndeployModelRequest.trafficSplit",
        r"400: DeployedModel `\d+` has traffic assigned to it in the traffic split; .*",
        id="the removal of a model that has traffic",
    ),
    pytest.param(
        lambda clouds: clouds.vertex.predict(clouds.vertex.endpoint(), instances=[1.0]),
        "Endpoint … doesn't have traffic_split.",
        "the service's words to predict",
        NO_SPLIT,
        id="a request to an endpoint without a model",
    ),
    pytest.param(
        ask_in_another_region,
        "404 Endpoint `…` not found.",
        "GoogleCloudPlatform/training-data-analyst#1373",
        r"404: Endpoint `projects/report-\d+/locations/europe-west4/endpoints/\d+` not found\.",
        id="a request to another region",
    ),
    pytest.param(
        ask_dedicated_endpoint,
        "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain …",
        "aiplatform v1, Endpoint.dedicatedEndpointEnabled, and the service's words",
        r"400: Dedicated Endpoint cannot be accessed through the shared Vertex AI domain .*",
        id="a dedicated endpoint at the shared host",
    ),
    pytest.param(
        ask(inputs=[1.0]),
        'Invalid JSON payload received. Unknown name "inputs": Cannot find field.',
        "GoogleCloudPlatform/vertex-ai-samples#749",
        r'400: Invalid JSON payload received\. Unknown name "inputs": Cannot find field\.',
        id="another key than instances",
    ),
    pytest.param(
        ask(instances=[{"input_1": 1.0}]),
        "400 FAILED_PRECONDITION with the container's answer as text",
        "googleapis/python-aiplatform#514",
        r"400: .*JSON object: does not have named input: input_1.*",
        id="the layer's name as the input's",
    ),
    pytest.param(
        ask(instances=["1.0"]),
        "400 FAILED_PRECONDITION with the container's answer as text",
        "googleapis/python-aiplatform#514; TensorFlow Serving, json_tensor.cc",
        r"400: .* is not of expected type: float.*",
        id="numbers as strings",
    ),
    pytest.param(
        ask(instances=[1.0], parameters={"signature_name": "serve"}),
        "400: Serving signature name: … not found in signature def",
        "TensorFlow Serving, predict_util.cc",
        r"400: .*Serving signature name: .*serve.* not found in signature def.*",
        id="a signature that the model does not have",
    ),
    pytest.param(
        ask(instances=[1.0] * 400_000),
        "The request size (… bytes) exceeds 1.500MB limit.",
        "GoogleCloudPlatform/python-docs-samples#1247 and the service's words of today",
        r"400: The request size \(2000015 bytes\) exceeds 1\.500MB limit\.",
        id="a request of 2 MB",
    ),
    pytest.param(
        ask(instances=[3] * 500_000),
        "Response size too large",
        "googleapis/python-aiplatform#190",
        r"400: .*Response size too large.*",
        id="an answer of 2 MB",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_vertex_ai_refuses(done, cloud, written, rehearsal, clouds):
    check_refused(done, cloud, written, rehearsal, clouds)
