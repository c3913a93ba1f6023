"""Fields that SageMaker would refuse are refused by name, before anything is sent."""

from __future__ import annotations

import botocore.session
import pytest
from cloudserve.adapters.aws.sagemaker.fields.endpoint_config import settings as config_settings
from cloudserve.adapters.aws.sagemaker.fields.endpoint_config import variant
from cloudserve.adapters.aws.sagemaker.fields.options import Autoscaling, Options
from cloudserve.adapters.aws.sagemaker.fields.rules import check_options
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.errors import ProjectError
from cloudserve.project import Target
from cloudserve.release.types import Artifact

FIELDS = {
    "bucket": "s3://some-bucket",
    "role_arn": "arn:aws:iam::000000000000:role/serving",
    "region": "eu-west-1",
}
DLC = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-inference"
SCALED = Autoscaling(max=2, invocations_per_instance=70)
MODEL = Artifact("2.20.0", 10_000, 4)


SERVICE = botocore.session.get_session().get_service_model("sagemaker")


def options(**fields):
    return Options(**FIELDS | fields)


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"serverless_memory_mb": 1500}, "serverless_memory_mb", "1024, 2048, 3072, 4096, 5120"),
        (
            {"serverless_memory_mb": 1024, "serverless_provisioned": 6},
            "serverless_provisioned",
            "6 cannot be kept warm of 5 at once",
        ),
        (
            {"serverless_memory_mb": 1024, "capture_percent": 10},
            "capture_percent",
            "a serverless endpoint has no data capture",
        ),
        (
            {"serverless_memory_mb": 1024, "async_output": "s3://some-bucket/answers"},
            "async_output",
            "no asynchronous invocations",
        ),
        ({"serverless_memory_mb": 1024, "image": f"{DLC}:2.19.0-gpu"}, "image", "has no GPU"),
        *(
            ({"serverless_memory_mb": 1024, "update": update}, "update", "no deployment guardrails")
            for update in ("all-at-once", "canary", "linear", "rolling")
        ),
        (
            {"update": "canary", "instance_type": "ml.inf1.xlarge"},
            "update",
            "all traffic of ml.inf1.xlarge at once",
        ),
        (
            {"shadow_percent": 10, "instance_type": "ml.inf1.xlarge"},
            "shadow_percent",
            "an endpoint of ml.inf1.xlarge has no shadows",
        ),
        (
            {"autoscaling": SCALED, "instance_type": "ml.t2.medium"},
            "autoscaling",
            "does not scale burstable instances such as ml.t2.medium",
        ),
        (
            {
                "multi_model": "shop",
                "image": f"{DLC}:2.19.0-gpu",
                "instance_type": "ml.g4dn.xlarge",
            },
            "instance_type",
            "AWS's TensorFlow image on CPUs alone",
        ),
        (
            {"package_group": "shop", "env": {f"N{number}": "x" for number in range(17)}},
            "env",
            "a model package has 16 variables at most, not 17",
        ),
        (
            {"serverless_memory_mb": 1024, "shadow_percent": 10},
            "shadow_percent",
            "a serverless endpoint has no shadows",
        ),
        (
            {"async_output": "s3://some-bucket/answers", "shadow_percent": 10},
            "shadow_percent",
            "an asynchronous endpoint has no shadows",
        ),
        ({"subnets": "subnet-1"}, "security_groups", "a VPC needs `subnets` and `security_groups`"),
        ({"security_groups": "sg-1"}, "subnets", "a VPC needs `subnets` and `security_groups`"),
        (
            {"subnets": "subnet-1", "security_groups": "a,b,c,d,e,f"},
            "security_groups",
            "at most 5 are allowed",
        ),
        (
            {"serverless_memory_mb": 1024, "subnets": "subnet-1", "security_groups": "sg-1"},
            "subnets",
            "a serverless endpoint has no VPC",
        ),
        (
            {"serverless_memory_mb": 1024, "network_isolation": True},
            "network_isolation",
            "a serverless endpoint has no network isolation",
        ),
        (
            {"serverless_memory_mb": 1024, "volume_size_gb": 30},
            "volume_size_gb",
            "a serverless endpoint has no volumes",
        ),
        ({"kms_key": "a key"}, "kms_key", "expected the id, alias or ARN of a KMS key"),
        ({"volume_size_gb": 513}, "volume_size_gb", "<= 512"),
        (
            {"volume_size_gb": 30, "instance_type": "ml.g5.xlarge"},
            "volume_size_gb",
            "ml.g5.xlarge has disks of its own",
        ),
        (
            {"image": f"{DLC}:2.19-cpu", "instance_type": "ml.c7g.large"},
            "instance_type",
            "is for x86-64, and ml.c7g.large has Arm processors",
        ),
        ({"tags": {"AWS:team": "a"}}, "tags.AWS:team", "is reserved"),
        ({"tags": "aws:name=x"}, "tags.aws:name", "the tag `aws:name` is reserved"),
        ({"tags": {"a//b": "x"}}, "tags.a//b", "begins or ends with / or contains //"),
        ({"tags": {"n" * 128: "x", "m" * 128: "x"}}, "tags", "have 258 characters together"),
        ({"role_arn": None, "role": "a b"}, "role", "expected the name of a role"),
        ({"tags": {"cloudserve-target": "x"}}, "tags.cloudserve-target", "is reserved"),
        ({"serverless_memory_mb": 8192}, "serverless_memory_mb", "<= 6144"),
        ({"serverless_concurrency": 201}, "serverless_concurrency", "<= 200"),
        ({"startup_seconds": 30}, "startup_seconds", "60 s or more, not 30"),
        ({"update": "gradually"}, "update", "gradually"),
        ({"update": "linear", "update_percent": 5}, "update_percent", "10 to 50 %"),
        ({"update": "rolling", "update_percent": 4}, "update_percent", "5 to 50 %"),
        ({"alarms": "errors"}, "alarms", "this target has none"),
        (
            {"update": "canary", "alarms": ",".join(f"a{n}" for n in range(11))},
            "alarms",
            "watches 10 alarms, not 11",
        ),
        ({"update": "linear"}, "timeout_seconds", "waits 2700 s by its steps"),
        (
            {
                "update": "linear",
                "update_wait_seconds": 3600,
                "timeout_seconds": 99_999,
            },
            "update_wait_seconds",
            "waits 32400 s by its steps, and SageMaker gives it 28200 s",
        ),
        ({"tensorflow_version": "2.21"}, "tensorflow_version", "no image of TensorFlow 2.21"),
        ({"instance_type": "ml.c7g.large"}, "instance_type", "does not run on ml.c7g.large"),
        ({"instance_type": "ml.inf2.xlarge"}, "instance_type", "does not run on ml.inf2.xlarge"),
        (
            {"image": "docker.io/tensorflow/serving:2.19.0"},
            "image",
            "the image `docker.io/tensorflow/serving:2.19.0` is not in ECR",
        ),
        (
            {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"},
            "image",
            "the image is in us-east-1 and the endpoint in eu-west-1",
        ),
        (
            {"image": f"{DLC}:2.19.0-cpu".replace("763104351884", "626614931356")},
            "image",
            "are in the account 763104351884, not 626614931356",
        ),
        (
            {"image": f"{DLC}:2.19.0-cpu", "tensorflow_version": "2.19"},
            "tensorflow_version",
            "`image` says which TensorFlow serves",
        ),
        (
            {"role_arn": "admin"},
            "role_arn",
            "expected the ARN of a role, arn:aws:iam::ACCOUNT:role/",
        ),
        ({"async_output": "answers"}, "async_output", "expected a URL, s3://BUCKET/PREFIX"),
        ({"multi_model": "a_b"}, "multi_model", "expected a name of letters, digits and -"),
        *(
            ({"multi_model": "all"} | fields, field, f"an endpoint of many models {sentence}")
            for fields, field, sentence in (
                ({"serverless_memory_mb": 1024}, "serverless_memory_mb", "has instances"),
                ({"async_output": "s3://some-bucket/a"}, "async_output", "has no asynchronous"),
                ({"shadow_percent": 10}, "shadow_percent", "has no shadow of one of them"),
                ({"update": "canary"}, "update", "is not updated when one of them"),
                ({"package_group": "halves"}, "package_group", "is of no model package"),
                (
                    {"instance_type": "ml.g5.xlarge"},
                    "instance_type",
                    "runs AWS's TensorFlow image on",
                ),
            )
        ),
    ],
)
def test_fields_that_do_not_fit_are_refused_by_name(fields, field, sentence):
    with pytest.raises(ProjectError) as error:
        create(Target("aws", "sagemaker", FIELDS | fields, "file: targets.aws"), {})
    assert error.value.where == f"file: targets.aws.{field}"
    assert sentence in error.value.message


@pytest.mark.parametrize(
    ("fields", "image"),
    [
        ({}, f"{DLC}:2.20-cpu-py312"),
        ({"tensorflow_version": "2.19"}, f"{DLC}:2.19.0-cpu"),
        ({"tensorflow_version": "2.18", "instance_type": "ml.g5.xlarge"}, f"{DLC}:2.18.0-gpu"),
        ({"serverless_memory_mb": 1024, "instance_type": "ml.g5.xlarge"}, f"{DLC}:2.20-cpu-py312"),
        (
            {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"},
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1",
        ),
    ],
)
def test_the_image_is_that_of_version_region_and_device(fields, image):
    assert check_options(options(**fields), "targets.aws.{}".format) == image


def test_a_serverless_variant_has_no_instances_and_an_idle_one_is_not_kept_warm():
    serverless = options(serverless_memory_mb=2048, serverless_provisioned=2)
    spec = variant(serverless, "AllTraffic", "m")
    assert spec["ServerlessConfig"] == {
        "MemorySizeInMB": 2048,
        "MaxConcurrency": 5,
        "ProvisionedConcurrency": 2,
    }
    assert not {"InstanceType", "InitialInstanceCount"} & set(spec)
    idle = variant(serverless, "AllTraffic", "m", idle=True)
    assert "ProvisionedConcurrency" not in idle["ServerlessConfig"]
    assert variant(options(instance_count=3), "a", "m", idle=True)["InitialInstanceCount"] == 1


def test_capture_and_asynchronous_answers_are_settings():
    assert config_settings(options()) == {}
    result = config_settings(
        options(
            capture_percent=20,
            async_output="s3://some-bucket/answers",
            async_failures="s3://some-bucket/failures",
            async_concurrency=4,
        )
    )
    assert result["DataCaptureConfig"]["DestinationS3Uri"] == "s3://some-bucket/captured"
    assert result["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert result["AsyncInferenceConfig"] == {
        "OutputConfig": {
            "S3OutputPath": "s3://some-bucket/answers",
            "S3FailurePath": "s3://some-bucket/failures",
        },
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
    }
