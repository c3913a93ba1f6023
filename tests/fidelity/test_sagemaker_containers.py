"""What people report of AWS's TensorFlow container: model trees, `inference.py`, requests."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import ECR, IMAGE, ROLE, check_refused
from tests.fidelity.conftest import archive, unpacked

UNHEALTHY = (
    r"Failed: The primary container for production variant v did not pass the ping health check\. "
)
NEWEST = f"{ECR}/tensorflow-inference:2.20-cpu-py312"


def deploy(key):
    """Return a step that deploys an archive of the bucket."""
    return lambda clouds: clouds.aws.deploy(ModelDataUrl=f"s3://models/{key}")


def deploy_prefix(clouds):
    """Deploy the files of the version's own directory, not of the one above it."""
    data = {"S3Uri": "s3://models/half/1/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": data}}
    clouds.aws.sagemaker.create_model(
        ModelName=clouds.name, ExecutionRoleArn=ROLE, PrimaryContainer=container
    )
    clouds.aws.create_config()
    clouds.aws.create_endpoint()


def deploy_zip(clouds):
    """Deploy a zip file under the name of an archive."""
    key = f"{clouds.name}.tar.gz"
    clouds.aws.s3.put_object(Bucket="models", Key=key, Body=b"PK\x03\x04")
    clouds.aws.deploy(ModelDataUrl=f"s3://models/{key}")


def with_files(clouds, **files):
    """Put the good model with more files below `code/` into the bucket; return its URL."""
    key = f"{clouds.name}.tar.gz"
    tree = unpacked(clouds, "half.tar.gz")
    tree |= {f"code/{name.replace('_', '.')}": text.encode() for name, text in files.items()}
    clouds.aws.s3.put_object(Bucket="models", Key=key, Body=archive(tree))
    return f"s3://models/{key}"


def run(script):
    """Return a step that deploys the good model with an `inference.py` and asks it."""

    def step(clouds):
        clouds.aws.deploy(ModelDataUrl=with_files(clouds, inference_py=script))
        clouds.aws.invoke(b'{"instances": [1.0]}')

    return step


def ask_with_requirements_alone(clouds):
    """Ask a container with `requirements.txt`, and without `inference.py`, in CSV."""
    url = with_files(clouds, requirements_txt="")
    clouds.aws.deploy(Image=NEWEST, ModelDataUrl=url)
    clouds.aws.invoke(b"1.0\n2.0", "text/csv")


def ask_of_many(target=None):
    """Return a step that asks a multi-model endpoint of the whole bucket."""

    def step(clouds):
        clouds.aws.deploy(ModelDataUrl="s3://models/", Mode="MultiModel")
        named = {"TargetModel": target} if target else {}
        clouds.aws.invoke(b'{"instances": [1.0]}', **named)

    return step


def ask_while_it_is_made(clouds):
    """Ask an endpoint that is being created."""
    clouds.aws.create_model()
    clouds.aws.create_config()
    names = {"EndpointName": clouds.name, "EndpointConfigName": clouds.name}
    clouds.aws.sagemaker.create_endpoint(**names)
    clouds.aws.invoke(b'{"instances": [1.0]}')


def ask_keras_saved(clouds):
    """Ask a Keras 3 model that `tf.saved_model.save` wrote."""
    clouds.aws.deploy(ModelDataUrl="s3://models/keras-saved.tar.gz")
    clouds.aws.invoke(b'{"instances": [[1.0, 2.0, 3.0]]}')


DEPLOYMENTS = [
    pytest.param(
        deploy("flat.tar.gz"),
        "did not pass the ping health check (no SavedModel bundles found!)",
        "aws/sagemaker-python-sdk#599, #603, #828, #1484; amazon-sagemaker-tensorflow-object-"
        "detection-api#22",
        UNHEALTHY + r"no SavedModel bundles found!",
        id="an archive with saved_model.pb at its top",
    ),
    pytest.param(
        deploy_prefix,
        "did not pass the ping health check (no SavedModel bundles found!)",
        "aws/sagemaker-tensorflow-serving-container#109 and tfs_utils.py, find_models",
        UNHEALTHY + r"no SavedModel bundles found!",
        id="the version's own directory as the model's data",
    ),
    pytest.param(
        deploy_zip,
        "the archive cannot be extracted",
        "SageMaker API reference, ContainerDefinition, ModelDataUrl: a gzip compressed tar archive",
        UNHEALTHY + r"the model archive cannot be extracted: not a gzip file",
        id="a zip file as the model's archive",
    ),
    pytest.param(
        deploy("gone-op.tar.gz"),
        "did not pass the ping health check; the log: Op type not registered",
        "tensorflow/tfx#1516; the model is of TFX's own test data",
        UNHEALTHY + r"No OpKernel was registered to support Op 'BoostedTreesBucketize' .*",
        id="a model whose op the image's TensorFlow does not have",
    ),
    pytest.param(
        deploy("warm-up.tar.gz"),
        "did not pass the ping health check; the log: Data loss: corrupted record at 0",
        "tensorflow/serving#1562; the log of aws/sagemaker-tensorflow-serving-container#206 shows "
        "that the image looks for the records",
        UNHEALTHY + r"corrupted record at 0 .*",
        id="warm-up records that are not TFRecords",
    ),
    pytest.param(
        deploy("cut.tar.gz"),
        "did not pass the ping health check; the log names the file of variables",
        "SeldonIO/MLServer's documentation has the model, whose upload was cut off",
        UNHEALTHY + r"/opt/ml/model/cut/1/variables/variables\.data-00000-of-00001; No such file.*",
        id="a model without its file of variables",
    ),
    pytest.param(
        ask_keras_saved,
        "Could not find variable sequential/dense/…",
        "keras-team/keras: model.export writes what TensorFlow Serving restores; tf_keras does not",
        r"ModelError: .*Could not find variable sequential\S*/dense.*",
        id="a Keras 3 model that tf.saved_model.save wrote",
    ),
    pytest.param(
        run("def predict(data): return data\n"),
        "NotImplementedError: Handlers are not implemented correctly in user script.",
        "aws/sagemaker-tensorflow-serving-container#122 and python_service.py",
        UNHEALTHY + r".*Handlers are not implemented correctly in user script\..*",
        id="an inference.py without handlers",
    ),
    pytest.param(
        run("def input_handler(data, context): return data.read()\n"),
        "NotImplementedError: Handlers are not implemented correctly in user script.",
        "aws/sagemaker-tensorflow-serving-container, README: both handlers, or one `handler`",
        UNHEALTHY + r".*Handlers are not implemented correctly in user script\..*",
        id="an inference.py with an input_handler alone",
    ),
    pytest.param(
        run("import not_installed\ndef handler(data, context): return b'', 'text/plain'\n"),
        "did not pass the ping health check (ModuleNotFoundError)",
        "GoogleCloudPlatform/python-docs-samples#5711 has the same on AI Platform",
        UNHEALTHY + r".*ModuleNotFoundError: No module named 'not_installed'.*",
        id="an inference.py that imports what is not installed",
    ),
    pytest.param(
        run("def handler(data, context): raise ValueError('Unsupported content type')\n"),
        'Received server error (500) from primary with message "{"error": …}"',
        "aws/sagemaker-tensorflow-serving-container, python_service.py",
        r'ModelError: Received server error \(500\) from primary with message "\{"error":'
        r' "Unsupported content type"\}"\..*',
        id="an inference.py that raises",
    ),
    pytest.param(
        ask_with_requirements_alone,
        "TensorFlow Serving refuses the body, which is posted unchanged",
        "aws/sagemaker-tensorflow-serving-container#207",
        r"ModelError: Received client error \(400\) .*JSON Value: 1\.0 Is not object.*",
        id="CSV to a container with requirements.txt and without inference.py",
    ),
    pytest.param(
        ask_of_many(),
        "a multi-model endpoint needs the target model header",
        "SageMaker API reference, InvokeEndpoint, TargetModel",
        r"ValidationError: Endpoint report-\d+ is a multi-model endpoint: the target model header"
        r" is required\.",
        id="a multi-model endpoint without a target",
    ),
    pytest.param(
        ask_of_many("none.tar.gz"),
        "Failed to download model data(bucket: …, key: …).",
        "SageMaker's words to InvokeEndpoint",
        r"ValidationError: Failed to download model data\(bucket: models, key: none\.tar\.gz\)\..*",
        id="a target that is not in the bucket",
    ),
    pytest.param(
        ask_of_many("half.tar.gz"),
        "the model does not load",
        "aws/sagemaker-tensorflow-serving-container#166: NUMBER/ at the top of each archive",
        r"ModelError: Received .* from primary with message .*",
        id="a target whose archive has a folder above the version",
    ),
    pytest.param(
        ask_while_it_is_made,
        "Endpoint … of account … not found.",
        "aws/sagemaker-python-sdk#1485 for what a container says that is not up yet",
        r"ValidationError: Endpoint report-\d+ of account 000000000000 not found\.",
        id="an endpoint that is being created",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), DEPLOYMENTS)
def test_a_deployment_fails_where_it_fails_on_sagemaker(done, cloud, written, rehearsal, clouds):
    check_refused(done, cloud, written, rehearsal, clouds)


def ask(body, content_type="application/json", **target):
    """Return a step that asks the endpoint that is deployed."""
    return lambda clouds: clouds.aws.invoke(body, content_type, **target)


def ask_later(clouds):
    """Ask a real-time endpoint asynchronously."""
    clouds.aws.runtime.invoke_endpoint_async(
        EndpointName=clouds.name, InputLocation="s3://models/in.json"
    )


REFUSED = r"ModelError: Received client error \(%d\) from primary with message \"\{.*%s.*"
REQUESTS = [
    pytest.param(
        ask(b"[" + b"1.0," * 1_600_000 + b"1.0]"),
        "413: HTTP content length exceeded … bytes.",
        "aws/sagemaker-python-sdk#171; the limit of today is in InvokeEndpoint's model",
        r"ValidationError: HTTP content length exceeded 6291456 bytes\.",
        id="a body of 6.4 MB",
    ),
    pytest.param(
        ask(b"\xff\xd8", "application/x-image"),
        "415 Unsupported Media Type: application/x-image",
        "aws/sagemaker-tensorflow-serving-container#148",
        REFUSED % (415, "Unsupported Media Type: application/x-image"),
        id="an image",
    ),
    pytest.param(
        ask(b"\x93NUMPY", "application/x-npy"),
        "415 Unsupported Media Type: application/x-npy",
        "aws/sagemaker-tensorflow-serving-container, tensorflowServing.js",
        REFUSED % (415, "Unsupported Media Type: application/x-npy"),
        id="an array of numpy",
    ),
    pytest.param(
        ask(b'{"instances": [1.0]}', "application/json; charset=utf-8"),
        "415: images up to 2.19 compare the header as it is",
        "aws/deep-learning-containers, tensorflowServing.js before 2.20",
        REFUSED % (415, "Unsupported Media Type: application/json; charset=utf-8"),
        id="JSON with a charset",
    ),
    pytest.param(
        ask(b'{"data": [1.0]}'),
        "400: Missing 'inputs' or 'instances' key, or no input of that name",
        "aws/sagemaker-tensorflow-serving-container#73",
        REFUSED % (400, "JSON object: does not have named input: data"),
        id="another key than instances",
    ),
    pytest.param(
        ask(b'{"instances": [{"input_1": 1.0}]}'),
        "400: … does not have named input",
        "aws/sagemaker-python-sdk#1132",
        REFUSED % (400, "JSON object: does not have named input: input_1"),
        id="the layer's name as the input's",
    ),
    pytest.param(
        ask(b'{"instances": ["1.0"]}'),
        "400: … is not of expected type: float",
        "TensorFlow Serving, json_tensor.cc",
        REFUSED % (400, "is not of expected type: float"),
        id="numbers as strings",
    ),
    pytest.param(
        ask(b'{"instances": [[1.0], [1.0, 2.0]]}'),
        "400: Expecting tensor size: 1 but got: 2",
        "TensorFlow Serving, json_tensor.cc",
        REFUSED % (400, "Expecting tensor size: 1 but got: 2"),
        id="rows of different lengths",
    ),
    pytest.param(
        ask(b"[[1. 2.]]"),
        "400: JSON Parse error",
        "TensorFlow Serving, json_tensor.cc: what numpy prints is no JSON",
        REFUSED % (400, "JSON Parse error"),
        id="an array as numpy prints it",
    ),
    pytest.param(
        ask(b'{"signature_name": "serve", "instances": [1.0]}'),
        "400: Serving signature name: … not found in signature def",
        "TensorFlow Serving, predict_util.cc",
        REFUSED % (400, r'Serving signature name: \\"serve\\" not found in signature def'),
        id="a signature that the model does not have",
    ),
    pytest.param(
        ask(b'{"instances": [1.0]}', CustomAttributes="tfs-model-name=other"),
        "404: Servable not found for request: Latest(other)",
        "aws/sagemaker-tensorflow-serving-container, README, tfs-model-name",
        REFUSED % (404, r"Servable not found for request: Latest\(other\)"),
        id="another model's name in the custom attributes",
    ),
    pytest.param(
        ask(b'{"instances": [1.0]}', TargetVariant="blue"),
        "Variant blue not found for endpoint …",
        "SageMaker API reference, InvokeEndpoint, TargetVariant",
        r"ValidationError: Variant blue not found for endpoint report-\d+\.",
        id="a variant that is not on the endpoint",
    ),
    pytest.param(
        ask(b'{"instances": [1.0]}', TargetModel="half.tar.gz"),
        "Endpoint … is not a multi-model endpoint and does not support target model header.",
        "aws/amazon-sagemaker-examples#1026",
        r"ValidationError: Endpoint report-\d+ is not a multi-model endpoint and does not support"
        r" target model header\.",
        id="a target model on an endpoint of one model",
    ),
    pytest.param(
        ask_later,
        "the endpoint is not configured for asynchronous inference",
        "SageMaker developer guide, asynchronous inference",
        r"ValidationError: Endpoint report-\d+ is not configured for asynchronous inference\.",
        id="an asynchronous invocation of a real-time endpoint",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REQUESTS)
def test_a_request_is_refused_where_sagemaker_refuses(done, cloud, written, rehearsal, served):
    check_refused(done, cloud, written, rehearsal, served)
