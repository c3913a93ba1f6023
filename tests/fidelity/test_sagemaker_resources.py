"""What people report of SageMaker's names, configurations, updates and jobs."""

from __future__ import annotations

import pytest

from tests.fidelity.clients import ECR, IMAGE, ROLE, RefusedError, check_refused

DATA = {"S3DataSource": {"S3Uri": "s3://models/half/", "S3DataType": "S3Prefix"}}
DATA["S3DataSource"]["CompressionType"] = "None"
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://models/answers/"}}


def create_model_twice(clouds):
    """Recreate a SageMaker Model, as a script does that is run again."""
    clouds.aws.create_model()
    clouds.aws.create_model()


def create_config_twice(clouds):
    """Recreate an endpoint configuration for another instance type."""
    clouds.aws.create_model()
    clouds.aws.create_config()
    clouds.aws.create_config(InstanceType="ml.c5.large")


def create_endpoint_twice(clouds):
    """Deploy to an endpoint that exists."""
    clouds.aws.deploy()
    clouds.aws.create_endpoint()


def fail_to_deploy(clouds):
    """Deploy an archive without a model, whose endpoint fails."""
    with pytest.raises(RefusedError):
        clouds.aws.deploy(ModelDataUrl="s3://models/flat.tar.gz")


def deploy_after_a_failure(clouds):
    """Run the same deployment again after it failed."""
    fail_to_deploy(clouds)
    clouds.aws.create_endpoint()


def update_after_a_failure(clouds):
    """Give a failed endpoint a configuration that would work."""
    fail_to_deploy(clouds)
    name = f"{clouds.name}-2"
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/half.tar.gz"}
    clouds.aws.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container
    )
    clouds.aws.create_config(name, ModelName=name)
    clouds.aws.sagemaker.update_endpoint(EndpointName=clouds.name, EndpointConfigName=name)


def update_while_it_is_made(clouds):
    """Update an endpoint that is being created."""
    clouds.aws.create_model()
    clouds.aws.create_config()
    names = {"EndpointName": clouds.name, "EndpointConfigName": clouds.name}
    clouds.aws.sagemaker.create_endpoint(**names)
    clouds.aws.sagemaker.update_endpoint(**names)


def make_an_asynchronous_endpoint_a_real_time_one(clouds):
    """Update an asynchronous endpoint to a configuration without AsyncInferenceConfig."""
    aws, later = clouds.aws, f"{clouds.name}-async"
    aws.create_model()
    aws.create_config()
    variants = aws.sagemaker.describe_endpoint_config(EndpointConfigName=clouds.name)
    aws.sagemaker.create_endpoint_config(
        EndpointConfigName=later,
        ProductionVariants=variants["ProductionVariants"],
        AsyncInferenceConfig=ASYNC,
    )
    aws.sagemaker.create_endpoint(EndpointName=clouds.name, EndpointConfigName=later)
    aws.wait("endpoint_in_service", "EndpointStatus", EndpointName=clouds.name)
    aws.sagemaker.update_endpoint(EndpointName=clouds.name, EndpointConfigName=clouds.name)


def deploy_a_deleted_model(clouds):
    """Deploy a configuration whose SageMaker Model was deleted in the meantime."""
    clouds.aws.create_model()
    clouds.aws.create_config()
    clouds.aws.sagemaker.delete_model(ModelName=clouds.name)
    clouds.aws.create_endpoint()


def name_model(name):
    """Return a step that makes a SageMaker Model of a name."""
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/half.tar.gz"}
    return lambda clouds: clouds.aws.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container
    )


def create_model(**container):
    """Return a step that makes a model with these fields of its container."""
    return lambda clouds: clouds.aws.create_model(**container)


def deploy_variant(image=IMAGE, **variant):
    """Return a step that deploys the good model with these fields of its variant."""

    def step(clouds):
        clouds.aws.create_model(Image=image)
        clouds.aws.create_config(**variant)
        clouds.aws.create_endpoint()

    return step


def create_uncompressed(clouds):
    """Make a model of uncompressed files."""
    container = {"Image": IMAGE, "ModelDataSource": DATA}
    clouds.aws.sagemaker.create_model(
        ModelName=clouds.name, ExecutionRoleArn=ROLE, PrimaryContainer=container
    )


def deploy_uncompressed_serverless(clouds):
    """Deploy uncompressed files on a serverless variant."""
    create_uncompressed(clouds)
    clouds.aws.create_config(ServerlessConfig=SERVERLESS)
    clouds.aws.create_endpoint()


def start_job(clouds, source="s3://models/half/"):
    """Start a transform job of the row's model."""
    where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
    clouds.aws.sagemaker.create_transform_job(
        TransformJobName=clouds.name,
        ModelName=clouds.name,
        TransformInput={"DataSource": where, "ContentType": "application/json"},
        TransformOutput={"S3OutputPath": "s3://models/out/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )


def transform_uncompressed(clouds):
    """Run a transform job with a model of uncompressed files."""
    create_uncompressed(clouds)
    start_job(clouds)


def transform_twice(clouds):
    """Start a transform job of a name that another had."""
    clouds.aws.create_model()
    start_job(clouds)
    start_job(clouds)


def transform_nothing(clouds):
    """Run a transform job over a prefix without objects."""
    clouds.aws.create_model()
    start_job(clouds, "s3://models/none/")
    waiter, status = "transform_job_completed_or_stopped", "TransformJobStatus"
    clouds.aws.wait(waiter, status, TransformJobName=clouds.name)


REPORTS = [
    pytest.param(
        create_model_twice,
        'Cannot create already existing model "arn…".',
        "aws/sagemaker-python-sdk#2772",
        r'ValidationException: Cannot create already existing model "arn:\S+:model/report-\d+"\.',
        id="a model that exists",
    ),
    pytest.param(
        create_config_twice,
        'Cannot create already existing endpoint configuration "arn…".',
        "aws/sagemaker-python-sdk#58, #987, #1470; iterative/example-repos-dev#265",
        r'ValidationException: Cannot create already existing endpoint configuration "arn:\S+"\.',
        id="an endpoint configuration that exists",
    ),
    pytest.param(
        create_endpoint_twice,
        'Cannot create already existing endpoint "arn…".',
        "aws/sagemaker-python-sdk#101; Kenza-AI/sagify#94",
        r'ValidationException: Cannot create already existing endpoint "arn:\S+/report-\d+"\.',
        id="an endpoint that exists",
    ),
    pytest.param(
        deploy_after_a_failure,
        'Cannot create already existing endpoint "arn…".',
        "aws/sagemaker-python-sdk#987 and #1470: what failed is left",
        r'ValidationException: Cannot create already existing endpoint "arn:\S+/report-\d+"\.',
        id="the same deployment again after it failed",
    ),
    pytest.param(
        update_after_a_failure,
        "a Failed endpoint can only be deleted",
        "SageMaker API reference, DescribeEndpoint, EndpointStatus",
        r'ValidationException: Cannot update failed endpoint "arn:\S+/report-\d+"\.',
        id="an update of an endpoint that failed",
    ),
    pytest.param(
        update_while_it_is_made,
        'Cannot update in-progress endpoint "arn…".',
        "SageMaker API reference, DescribeEndpoint, EndpointStatus (Creating)",
        r'ValidationException: Cannot update in-progress endpoint "arn:\S+/report-\d+"\.',
        id="an update of an endpoint that is being created",
    ),
    pytest.param(
        make_an_asynchronous_endpoint_a_real_time_one,
        "The AsyncInferenceConfig parameter cannot be removed from this endpoint …",
        "aws/sagemaker-python-sdk#3124",
        r"ValidationException: The AsyncInferenceConfig parameter cannot be removed from this"
        r" endpoint report-\d+\.",
        id="an asynchronous endpoint that becomes a real-time one",
    ),
    pytest.param(
        deploy_a_deleted_model,
        'Could not find model "arn…".',
        "SageMaker API reference, CreateEndpoint; the service's words for a missing resource",
        r'ValidationException: Could not find model "arn:\S+:model/report-\d+"\.',
        id="an endpoint whose model was deleted",
    ),
    pytest.param(
        deploy_variant(ModelName="never-made"),
        'Could not find model "arn…".',
        "SageMaker API reference, CreateEndpointConfig; the service's words",
        r'ValidationException: Could not find model "arn:\S+:model/never-made"\.',
        id="a configuration of a model that was never made",
    ),
    pytest.param(
        name_model("half_plus_two"),
        "failed to satisfy constraint: Member must satisfy regular expression pattern",
        "SageMaker API reference, CreateModel, ModelName",
        r"ValidationException: 1 validation error detected: Value 'half_plus_two' at 'modelName'"
        r" failed to satisfy constraint: Member must satisfy regular expression pattern: .*",
        id="a name with an underscore",
    ),
    pytest.param(
        name_model("m" * 64),
        "failed to satisfy constraint: Member must have length less than or equal to 63",
        "SageMaker API reference, CreateModel, ModelName",
        r"ValidationException: 1 validation error detected: Value 'm{64}' at 'modelName' failed to"
        r" satisfy constraint: Member must have length less than or equal to 63",
        id="a name of 64 characters",
    ),
    pytest.param(
        create_model(ModelDataUrl="s3://models/none.tar.gz"),
        "Could not find model data at s3://….",
        "the service's words to CreateModel; aws/sagemaker-python-sdk#1669",
        r"ValidationException: Could not find model data at s3://models/none\.tar\.gz\.",
        id="model data that do not exist",
    ),
    pytest.param(
        deploy_variant(InstanceType="m5.large"),
        "failed to satisfy constraint: Member must satisfy enum value set: [ml.…]",
        "SageMaker API reference, ProductionVariant, InstanceType",
        r"ValidationException: 1 validation error detected: Value 'm5\.large' at .*instanceType'"
        r" failed to satisfy constraint: Member must satisfy enum value set: \[ml\..*\]",
        id="an instance type of EC2",
    ),
    pytest.param(
        deploy_variant(ServerlessConfig={"MemorySizeInMB": 1500, "MaxConcurrency": 5}),
        "the memory is one of 1024, 2048, 3072, 4096, 5120, 6144",
        "SageMaker API reference, ProductionVariantServerlessConfig, MemorySizeInMB",
        r"ValidationException: MemorySizeInMB of production variant v must be one of .* 6144\.",
        id="a serverless variant of 1500 MB",
    ),
    pytest.param(
        deploy_variant(ServerlessConfig={"MemorySizeInMB": 2048, "MaxConcurrency": 500}),
        "failed to satisfy constraint: Member must have value less than or equal to 200",
        "SageMaker API reference, ProductionVariantServerlessConfig, MaxConcurrency",
        r"ValidationException: .*maxConcurrency' failed to satisfy constraint: Member must have"
        r" value less than or equal to 200",
        id="a serverless variant of 500 requests at once",
    ),
    pytest.param(
        deploy_variant(f"{ECR}/tensorflow-inference:2.19-gpu", ServerlessConfig=SERVERLESS),
        "did not pass the ping health check: a serverless variant has no GPU",
        "SageMaker developer guide, serverless inference, feature exclusions",
        r"Failed: The primary container for production variant v did not pass the ping health check"
        r"\. .*libcuda\.so\.1: .* a serverless variant has no GPU\.",
        id="a GPU image on a serverless variant",
    ),
    pytest.param(
        deploy_uncompressed_serverless,
        "you cannot use ModelDataSource in conjunction with SageMaker serverless endpoints",
        "SageMaker API reference, ContainerDefinition, ModelDataSource",
        r"ValidationException: .*ModelDataSource.*serverless.*",
        id="uncompressed files on a serverless variant",
    ),
    pytest.param(
        transform_uncompressed,
        "you cannot use ModelDataSource in conjunction with SageMaker batch transform",
        "SageMaker API reference, ContainerDefinition, ModelDataSource",
        r"ValidationException: .*ModelDataSource.*batch transform.*",
        id="a transform job of uncompressed files",
    ),
    pytest.param(
        transform_twice,
        "a job's name is unique within a region and an account",
        "SageMaker API reference, CreateTransformJob, TransformJobName",
        r"ResourceInUse: Transform job names must be unique within an AWS account and region, and a"
        r" transform job with this name already exists \(arn:\S+\)",
        id="a transform job of a name that another had",
    ),
    pytest.param(
        transform_nothing,
        "the job fails: no objects under the prefix",
        "SageMaker developer guide, batch transform, troubleshooting",
        r"Failed: No objects found at s3://models/none/\.",
        id="a transform job over a prefix without objects",
    ),
]


@pytest.mark.parametrize(("done", "cloud", "written", "rehearsal"), REPORTS)
def test_the_rehearsal_is_refused_where_sagemaker_refuses(done, cloud, written, rehearsal, clouds):
    check_refused(done, cloud, written, rehearsal, clouds)
