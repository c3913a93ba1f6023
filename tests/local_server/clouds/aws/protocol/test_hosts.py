"""The grammar of AWS's hosts is that of botocore's endpoint rules."""

from itertools import product
from urllib.parse import urlsplit

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader
from cloudserve.local_server.clouds.aws.protocol.hosts import AwsHost, aws_host
from cloudserve.local_server.clouds.objects.addressing import S3Host, s3_host

SERVICES = (
    *("application-autoscaling", "cloudwatch", "ecr", "iam", "logs", "sagemaker"),
    *("service-quotas", "sts"),
)
OTHER_PARTITIONS = ("aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f")


@pytest.mark.parametrize("service", [*SERVICES, "sagemaker-runtime", "s3"])
def test_every_endpoint_of_botocore_is_read_as_its_service_and_region(service):
    loader = Loader()
    metadata = loader.load_service_model(service, "service-2")["metadata"]
    name = metadata.get("signingName", metadata["endpointPrefix"])
    partitions = loader.load_data("partitions")
    rules = loader.load_service_model(service, "endpoint-rule-set-1")
    provider = EndpointProvider(rules, partitions)
    seen = 0
    for region, fips, dual in product(list(regions(partitions)), (False, True), (False, True)):
        parameters = {"Region": region, "UseFIPS": fips, "UseDualStack": dual}
        if service == "s3":
            parameters |= {"Bucket": "my-bucket", "ForcePathStyle": False, "Accelerate": False}
        try:
            endpoint = provider.resolve_endpoint(**parameters)
        except EndpointProviderError:  # S3 has no FIPS in China
            continue
        scheme = (endpoint.properties.get("authSchemes") or [{}])[0]
        host = urlsplit(endpoint.url).hostname
        expected = AwsHost(name, scheme.get("signingRegion", region))
        assert aws_host(host) == expected, host
        seen += 1
    assert seen > 100


def regions(partitions):
    """Yield the regions of the public partitions, without those that stand for all."""
    for partition in partitions["partitions"]:
        if partition["id"] not in OTHER_PARTITIONS:
            yield from (name for name in partition["regions"] if "global" not in name)


@pytest.mark.parametrize(
    ("host", "bucket", "region"),
    [
        ("s3.amazonaws.com", "", ""),
        ("s3-eu-west-1.amazonaws.com", "", "eu-west-1"),
        ("s3-external-1.amazonaws.com", "", ""),
        ("a.b.c.s3.amazonaws.com", "a.b.c", ""),
        ("B.S3.EU-WEST-1.AMAZONAWS.COM.:443", "b", "eu-west-1"),
        ("s3.s3.dualstack.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("b.s3-accelerate.dualstack.amazonaws.com", "b", ""),
        ("b.s3.cn-north-1.amazonaws.com.cn", "b", "cn-north-1"),
    ],
)
def test_a_host_of_s3_names_a_bucket_and_a_region(host, bucket, region):
    assert s3_host(host) == S3Host(bucket, region, "s3-accelerate" in host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "amazonaws.com",
        "s3.amazonaws.com.evil.test",
        "evil-s3.amazonaws.com.",
        "b.s3-website-us-east-1.amazonaws.com",
        "abc123.execute-api.us-east-1.amazonaws.com",
        "lb-1.us-east-1.elb.amazonaws.com",
        "ec2-1-2-3-4.compute-1.amazonaws.com",
        "sagemaker.us-east-1.amazonaws.com@evil.test",
        "sagemaker.us-east-1.amazonaws.com",
        "ecr.us-east-1.amazonaws.com",
        "api.sagemaker.amazonaws.com",
        "logs.amazonaws.com",
        "notamazonaws.com",
    ],
)
def test_another_host_is_none_of_s3s_and_no_users_resource_is_a_service(host):
    assert s3_host(host) is None
    assert (aws_host(host) or AwsHost("evil-s3", "us-east-1")).service == "evil-s3"


def test_a_registry_is_a_service_of_its_own():
    host = "763104351884.dkr.ecr.us-west-2.amazonaws.com"
    assert aws_host(host) == AwsHost("dkr.ecr", "us-west-2")
