"""What people report that SageMaker refuses, replayed against the offline SageMaker."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import ECR, IMAGE, ROLE, check_refused


def deploy_package(status):
    """Return a step that makes a model of a package with this approval."""

    def step(clouds):
        aws = clouds.aws
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=aws.name)
        container = {
            "Image": IMAGE,
            "ModelDataUrl": "s3://models/half.tar.gz",
        }
        package = aws.sagemaker.create_model_package(
            ModelPackageGroupName=aws.name,
            InferenceSpecification={"Containers": [container]},
            ModelApprovalStatus=status,
        )
        aws.sagemaker.create_model(
            ModelName=aws.name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"ModelPackageName": package["ModelPackageArn"]},
        )

    return step


def create_model(**container):
    """Return a step that makes a model with these fields of its container."""
    return lambda clouds: clouds.aws.create_model(**container)


def deploy_model(image, instance_type):
    """Return a step that deploys a model with an image on a machine."""

    def step(clouds):
        clouds.aws.create_model(Image=image)
        clouds.aws.create_config(InstanceType=instance_type)
        clouds.aws.create_endpoint()

    return step


def create_model_of_another_region(clouds):
    """Make a model whose data are in a bucket of eu-west-1."""
    bucket = f"{clouds.name}-eu"
    where = {"LocationConstraint": "eu-west-1"}
    clouds.aws.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    clouds.aws.s3.put_object(Bucket=bucket, Key="m.tar.gz", Body=b"never read")
    clouds.aws.create_model(ModelDataUrl=f"s3://{bucket}/m.tar.gz")


def create_endpoint_twice(clouds):
    """Make an endpoint whose name another has in capitals."""
    clouds.aws.deploy()
    clouds.aws.sagemaker.create_endpoint(
        EndpointName=clouds.name.upper(), EndpointConfigName=clouds.name
    )


def invoke_in_capitals(clouds):
    """Ask an endpoint by its name in capitals."""
    clouds.aws.deploy()
    clouds.aws.runtime.invoke_endpoint(EndpointName=clouds.name.upper(), Body=b"{}")


REPORTS = [
    pytest.param(
        create_endpoint_twice,
        "Cannot create already existing endpoint: the name is case-insensitive in CreateEndpoint",
        "SageMaker API reference, CreateEndpoint, EndpointName; aws/sagemaker-python-sdk#101",
        r'ValidationException: Cannot create already existing endpoint "arn:\S+/report-\d+"\.',
        id="an endpoint's name that differs only in case",
    ),
    pytest.param(
        invoke_in_capitals,
        "Endpoint … not found: the case is preserved and must be matched in InvokeEndpoint",
        "SageMaker API reference, CreateEndpoint, EndpointName",
        r"ValidationError: Endpoint REPORT-\d+ of account 000000000000 not found\.",
        id="an invocation by the name in another case",
    ),
    pytest.param(
        create_model(Image="docker.io/tensorflow/serving:2.19.0"),
        'Using non-ECR image "…" without Vpc repository access mode is not supported.',
        "aws/sagemaker-python-sdk#4700",
        r'ValidationException: Using non-ECR image "docker\.io/tensorflow/serving:2\.19\.0" without'
        r" Vpc repository access mode is not supported\.",
        id="an image of Docker Hub",
    ),
    pytest.param(
        create_model(Image="public.ecr.aws/deep-learning-containers/tensorflow-inference:2.19-cpu"),
        'Using non-ECR image "…" without Vpc repository access mode is not supported.',
        "aws/sagemaker-python-sdk#4700 and #2605 (public.ecr.aws is not ECR)",
        r'ValidationException: Using non-ECR image "public\.ecr\.aws/.*" without Vpc repository'
        r" access mode is not supported\.",
        id="an image of ECR Public",
    ),
    pytest.param(
        create_model(Image=f"{ECR}/tensorflow-inference:2.17-cpu"),
        "Requested image … not found.",
        "aws-samples/easy-amazon-sagemaker-deployments#4",
        rf"ValidationException: Requested image {ECR}/tensorflow-inference:2\.17-cpu not found\.",
        id="a tag that AWS's repository does not hold",
    ),
    pytest.param(
        create_model(
            Image=f"{ECR.replace('us-east-1', 'us-west-2')}/tensorflow-inference:2.19-cpu"
        ),
        "the image must be in the same region as the model or endpoint you are creating",
        "SageMaker API reference, ContainerDefinition, Image",
        r"ValidationException: The image \S+ is in us-west-2: .* must be in the same region as the"
        r" model or endpoint you are creating, us-east-1\.",
        id="an image of another region",
    ),
    pytest.param(
        create_model(Image=f"{ECR}/pytorch-inference:2.6-cpu"),
        "it is served, by an image that is not TensorFlow's",
        "the offline clouds run TensorFlow alone",
        r"ValidationException: The image \S+/pytorch-inference:2\.6-cpu is not available offline:"
        r" of AWS's images only tensorflow-inference is\.",
        id="a prebuilt image of PyTorch",
    ),
    pytest.param(
        create_model(
            Image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
        ),
        "it is served, by an image that is not TensorFlow's",
        "the offline clouds run TensorFlow alone",
        r"ValidationException: The image \S+ is not available offline: of AWS's images only"
        r" tensorflow-inference is\.",
        id="a prebuilt image of scikit-learn",
    ),
    pytest.param(
        create_model_of_another_region,
        "Could not access model data at … and that the object is located in us-east-1.",
        "SageMaker API reference, ContainerDefinition, ModelDataUrl, and the service's own words",
        r"ValidationException: Could not access model data at s3://report-\d+-eu/m\.tar\.gz\. .*"
        r" and that the object is located in us-east-1\..*",
        id="model data in a bucket of another region",
    ),
    pytest.param(
        deploy_model(f"{ECR}/tensorflow-inference:2.19-gpu", "ml.m5.large"),
        "did not pass the ping health check (libcuda.so.1: cannot open shared object file)",
        "DescribeEndpoint's FailureReason, and tensorflow/serving's log without NVIDIA's driver",
        r"Failed: The primary container for production variant v did not pass the ping health check"
        r"\. .*libcuda\.so\.1: .* ml\.m5\.large has no GPU\.",
        id="a GPU image on a machine without a GPU",
    ),
    pytest.param(
        deploy_package("PendingManualApproval"),
        "a versioned package must be Approved to be deployed",
        "SageMaker API reference, CreateModelPackage, ModelApprovalStatus",
        r"ValidationException: Model package .*/1 cannot be deployed: its ModelApprovalStatus is"
        r" PendingManualApproval, and for versioned models it must be set to Approved\.",
        id="a model of a package that waits for its approval",
    ),
    pytest.param(
        deploy_package("Rejected"),
        "a versioned package must be Approved to be deployed",
        "SageMaker API reference, CreateModelPackage, ModelApprovalStatus",
        r"ValidationException: Model package .*/1 cannot be deployed: its ModelApprovalStatus is"
        r" Rejected, and for versioned models it must be set to Approved\.",
        id="a model of a rejected package",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_sagemaker_refuses(done, cloud, written, rehearsal, clouds):
    check_refused(done, cloud, written, rehearsal, clouds)
