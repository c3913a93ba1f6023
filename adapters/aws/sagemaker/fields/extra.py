"""Raw request fields of a target: the field `extra`, merged into requests of SageMaker.

extra:
  create_model:
    PrimaryContainer: {ContainerHostname: first}
  create_endpoint_config:
    AsyncInferenceConfig: {OutputConfig: {NotificationConfig: {SuccessTopic: arn:aws:sns:…}}}
  production_variant:
    RoutingConfig: {RoutingStrategy: LEAST_OUTSTANDING_REQUESTS}

botocore's definition of the service validates them. A digest in the tag `cloudserve-extra` of a
resource tells whether it was created with the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cloudserve.errors import ProjectError
from cloudserve.project import Where

from ....extra_fields import Extra, Ours, check_fields, digest_of

TAG = "cloudserve-extra"
MODEL, CONFIG, VARIANT = "create_model", "create_endpoint_config", "production_variant"
SHAPES = {
    MODEL: "CreateModelInput",
    CONFIG: "CreateEndpointConfigInput",
    VARIANT: "ProductionVariant",
}
OURS: Ours = {
    MODEL: {
        "ModelName": "endpoint_name",
        "ExecutionRoleArn": "role_arn",
        "Tags": "tags",
        "VpcConfig": "subnets",
        "EnableNetworkIsolation": "network_isolation",
        "Containers": "",
        "InferenceExecutionConfig": "",
        "PrimaryContainer.Image": "image",
        "PrimaryContainer.Environment": "env",
        "PrimaryContainer.Mode": "multi_model",
        "PrimaryContainer.ModelDataUrl": "bucket",
        "PrimaryContainer.ModelDataSource": "bucket",
        "PrimaryContainer.ModelPackageName": "package_group",
    },
    CONFIG: {
        "EndpointConfigName": "endpoint_name",
        "ProductionVariants": "",
        "ShadowProductionVariants": "",
        "Tags": "tags",
        "KmsKeyId": "kms_key",
        "ExecutionRoleArn": "role_arn",
        "VpcConfig": "subnets",
        "EnableNetworkIsolation": "network_isolation",
        "DataCaptureConfig.EnableCapture": "capture_percent",
        "DataCaptureConfig.InitialSamplingPercentage": "capture_percent",
        "DataCaptureConfig.DestinationS3Uri": "capture_url",
        "DataCaptureConfig.CaptureOptions": "",
        "DataCaptureConfig.CaptureContentTypeHeader": "",
        "AsyncInferenceConfig.OutputConfig.S3OutputPath": "async_output",
        "AsyncInferenceConfig.OutputConfig.S3FailurePath": "async_failures",
        "AsyncInferenceConfig.ClientConfig": "async_concurrency",
    },
    VARIANT: {
        "VariantName": "",
        "ModelName": "endpoint_name",
        "InstanceType": "instance_type",
        "InitialInstanceCount": "instance_count",
        "InitialVariantWeight": "",
        "ServerlessConfig": "serverless_memory_mb",
        "VolumeSizeInGB": "volume_size_gb",
        "ModelDataDownloadTimeoutInSeconds": "download_seconds",
        "ContainerStartupHealthCheckTimeoutInSeconds": "startup_seconds",
    },
}


def check_extra(extra: Extra, where: Where) -> None:
    """Raise ProjectError for an unknown request, a field of cloudserve's, or an invalid value."""
    check_fields(extra, OURS, where, partial(_check_shape, where))


def _check_shape(where: Where, name: str, fields: Mapping[str, Any]) -> None:
    """Raise ProjectError for what botocore would refuse; missing fields are cloudserve's."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    shape = model.shape_for(SHAPES[name])
    report = ParamValidator().validate(dict(fields), shape).generate_report()
    wrong = [line for line in report.splitlines() if not line.startswith("Missing required")]
    if wrong:
        raise ProjectError(
            f"`extra.{name}`: {wrong[0]}",
            where=where(f"extra.{name}"),
            hint=f"see {SHAPES[name].removesuffix('Input')} in the SageMaker API reference",
        )


def extra_tag(extra: Extra, *names: str) -> dict[str, str]:
    """Return the tag of a resource that was created with these requests' extra fields, or {}."""
    digest = digest_of(extra, *names)
    return {TAG: digest} if digest else {}
