"""What people report that AI Platform refused, replayed against the offline AI Platform (ml v1)."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import check_refused


def version(name="v1", **fields):
    """Return a step that creates a version: the good one but for these fields."""

    def step(clouds):
        clouds.ml.create_model()
        clouds.ml.create_version(name, **fields)

    return step


def ask(**body):
    """Return a step that asks the good version."""

    def step(clouds):
        version()(clouds)
        clouds.ml.predict(**body)

    return step


def create_model_twice(clouds):
    """Create a model that exists."""
    clouds.ml.create_model()
    clouds.ml.create_model()


def create_large_version(clouds):
    """Create a version of 640 MB on the smallest machine; the bytes are joined, not sent."""
    bucket = clouds.gcs.create_bucket(clouds.name)
    small, part, whole = (bucket.blob(name) for name in ("small", "part", "m/variables"))
    small.upload_from_string(b"x" * 2**20)
    part.compose([small] * 32)
    whole.compose([part] * 20)
    bucket.blob("m/saved_model.pb").upload_from_string(b"")
    uri = f"gs://{clouds.name}/m"
    version(deploymentUri=uri, machineType="mls1-c1-m2")(clouds)


def delete_default_version(clouds):
    """Delete the default version while another is there."""
    version()(clouds)
    clouds.ml.create_version("v2")
    clouds.ml.models.versions().delete(name=f"{clouds.ml.model}/versions/v1").execute()


def delete_model(clouds):
    """Delete a model with a version."""
    version()(clouds)
    clouds.ml.models.delete(name=clouds.ml.model).execute()


REPORTS = [
    pytest.param(
        create_model_twice,
        "Field: model.name Error: A model with the same name already exists.",
        "data-describe#42",
        r"409: Field: model\.name Error: A model with the same name already exists\.",
        id="a model that exists",
    ),
    pytest.param(
        lambda clouds: clouds.ml.create_model("half-plus-two"),
        "the name: letters, numbers and underscores",
        "ml v1, Model.name; AI Platform knows no hyphen",
        r"400: Field: model\.name Error: The name must be a letter followed by up to 127 letters,"
        r" numbers or underscores\.",
        id="a name with hyphens",
    ),
    pytest.param(
        version(deploymentUri="gs://models/half"),
        "the model directory … is expected to contain exactly one of the following: …",
        "GoogleCloudPlatform/cloudml-samples#33",
        r"400: Field: version\.deployment_uri Error: With v1 endpoint, the model directory"
        r" gs://models/half is expected to contain exactly one of the following: .*",
        id="the directory above the SavedModel",
    ),
    pytest.param(
        create_large_version,
        "The total size of files in … is … bytes, which exceeds the allowed maximum of … bytes.",
        "GoogleCloudPlatform/cloudml-samples#8, cloudml-examples#5",
        r"400: Field: version\.deployment_uri Error: The total size of files in gs://\S+/m is"
        r" 671088640 bytes, which exceeds the allowed maximum of 524288000 bytes\.",
        id="a model of 640 MB on an MLS1 machine",
    ),
    pytest.param(
        version(predictionClass="predictor.Predictor"),
        'Exactly one of "prediction_class" and "framework" may be provided.',
        "ai-platform-text-classifier-shap#4",
        r"400: Field: prediction_class Error: Exactly one of \"prediction_class\" and"
        r" \"framework\" may be provided\..*",
        id="a prediction class beside a framework",
    ),
    pytest.param(
        version(framework=None, predictionClass="a.B", packageUris=["gs://models/code.tar.gz"]),
        "the service installs the packages, and fails where one of them does",
        "GoogleCloudPlatform/python-docs-samples#5711: no such code runs offline",
        r"501: version\.packageUris is not available offline\.",
        id="code for custom predictions",
    ),
    pytest.param(
        version(framework="SCIKIT_LEARN"),
        "it is served, by another framework's server",
        "the offline clouds run TensorFlow alone",
        r"501: Only the framework TENSORFLOW is available offline\.",
        id="another framework",
    ),
    pytest.param(
        version(runtimeVersion="2.16"),
        "The specified runtime version … is not supported or is deprecated.",
        "AI Platform, runtime version list",
        r"400: Field: version\.runtime_version Error: The specified runtime version '2\.16' .*",
        id="a runtime version that never was",
    ),
    pytest.param(
        version(pythonVersion="3.8"),
        "The specified runtime version … with the Python version … is not supported",
        "AI Platform, runtime version list",
        r"400: Field: version\.runtime_version Error: .* with the Python version '3\.8' .*",
        id="a version of Python that the runtime does not have",
    ),
    pytest.param(
        version(
            machineType="mls1-c1-m2", acceleratorConfig={"count": "1", "type": "NVIDIA_TESLA_T4"}
        ),
        "Compute Engine (N1) machine types take accelerators",
        "ml v1, Version.acceleratorConfig",
        r"400: Field: version\.accelerator_config Error: Machine type 'mls1-c1-m2' has no"
        r" accelerators; .*",
        id="an accelerator on an MLS1 machine",
    ),
    pytest.param(
        version(deploymentUri="gs://models/gone-op/1"),
        'Create Version failed. Bad model detected with error: "Failed to load model: …"',
        "tensorflow/tfx#1516; the texts of GoogleCloudPlatform/python-docs-samples#5711",
        r'3: Create Version failed\. Bad model detected with error: "No OpKernel was registered to'
        r" support Op 'BoostedTreesBucketize' .*",
        id="a model whose op the runtime's TensorFlow does not have",
    ),
    pytest.param(
        version(deploymentUri="gs://models/warm-up/1"),
        'Create Version failed. Bad model detected with error: "Failed to load model: …"',
        "tensorflow/serving#1562; GoogleCloudPlatform/ai-platform-samples#76 (warm-up there)",
        r'3: Create Version failed\. Bad model detected with error: "corrupted record at 0 .*',
        id="warm-up records that are not TFRecords",
    ),
    pytest.param(
        version(deploymentUri="gs://models/cut/1"),
        'Create Version failed. Bad model detected with error: "Failed to load model: …"',
        "SeldonIO/MLServer's documentation has the model, whose upload was cut off",
        r'3: Create Version failed\. Bad model detected with error: "model/variables/variables'
        r"\.data-00000-of-00001; No such file or directory\"",
        id="a model without its file of variables",
    ),
    pytest.param(
        ask(instances=[1.0] * 400_000),
        "Request payload size exceeds the limit: 1572864 bytes.",
        "ageron/handson-ml2#205; GoogleCloudPlatform/python-docs-samples#1247",
        r"400: Request payload size exceeds the limit: 1572864 bytes\.",
        id="a request of 2 MB",
    ),
    pytest.param(
        ask(instances=["1.0"]),
        "HTTP 200 with `error`: Prediction failed: …",
        "tensorflow/hub#292; tensorflow/tensorflow#28481",
        r'200: Prediction failed: Failed to process element: 0 of .* JSON Value: "1\.0" Type:'
        r" String is not of expected type: float",
        id="numbers as strings",
    ),
    pytest.param(
        ask(instances=[{"input_1": 1.0}]),
        "HTTP 200 with `error`: Prediction failed: …",
        "tensorflow/hub#292; TensorFlow Serving, json_tensor.cc",
        r"200: Prediction failed: .* JSON object: does not have named input: input_1",
        id="the layer's name as the input's",
    ),
    pytest.param(
        lambda clouds: (clouds.ml.create_model(), clouds.ml.predict(instances=[1.0])),
        "the model has no default version",
        "ml v1, projects.predict: a model's name stands for its default version",
        r"400: Field: name Error: The model has no default version\.",
        id="a model without a version",
    ),
    pytest.param(
        delete_default_version,
        "the default version cannot be deleted unless it is the only version",
        "ml v1, projects.models.versions.delete",
        r"400: Field: name Error: The default version cannot be deleted unless it is the only"
        r" version of the model\.",
        id="the removal of the default version",
    ),
    pytest.param(
        delete_model,
        "a model can be deleted when it has no versions",
        "ml v1, projects.models.delete",
        r"400: Field: name Error: Cannot delete a model that has versions\.",
        id="the removal of a model with versions",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_ai_platform_refused(
    done, cloud, written, rehearsal, clouds
):
    check_refused(done, cloud, written, rehearsal, clouds)
