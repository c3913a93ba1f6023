"""Targets on the offline SageMaker; one reading of botocore's service models for all tests here."""

from __future__ import annotations

import boto3
import botocore.session
import pytest
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.project import Target
from cloudserve.testing.provider_steps import perform, plan, put
from tests.adapters.aws.scripted import LOGS, NO_MODEL, ok, provider_at, refused, tagged

BY_DEFAULT = {
    "ListTags": tagged(),
    "ListModels": ok({"Models": []}),
    "ListEndpoints": ok({"Endpoints": []}),
    "DescribeModel": refused("ValidationException", NO_MODEL),
}
"""What the scripted service answers where a test does not say: all is the target's own."""
ROLE = "arn:aws:iam::000000000000:role/serving"


@pytest.fixture(scope="package", autouse=True)
def shared_service_models():
    """Give every botocore session one loader, with its cache."""
    loader = botocore.session.create_loader(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        yield


@pytest.fixture
def region(bucket):
    """Give a region that no other test's names are in."""
    return f"eu-test-{int(bucket.rpartition('-')[2])}"


@pytest.fixture
def described(bucket, region):
    """Give what makes a target of the project file with these fields, beside the usual ones."""
    fields = {
        "bucket": f"s3://{bucket}",
        "role_arn": ROLE,
        "region": region,
        # A copy of AWS's image: its own registries are in regions that exist.
        "image": f"000000000000.dkr.ecr.{region}.amazonaws.com/tensorflow-inference:2.20-cpu",
    }
    return lambda **more: Target("aws", "sagemaker", fields | more)


@pytest.fixture
def target(described, clouds):
    """Give what makes a provider of these fields, for the same names each time."""
    return lambda **more: create(described(**more), clouds)


@pytest.fixture
def client(clouds, region):
    """Give what makes a boto3 client for the offline AWS."""
    keys = {
        "endpoint_url": clouds["AWS_ENDPOINT_URL"],
        "aws_access_key_id": clouds["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": clouds["AWS_SECRET_ACCESS_KEY"],
    }
    return lambda service: boto3.client(service, region_name=region, **keys)


def deploy(provider, number, source, model="half"):
    revision = put(provider, model, number, source)
    perform(provider, plan(provider, model, revision))
    return revision


@pytest.fixture
def sagemaker(scripted):
    """Give what makes a provider whose service answers by operation; of a list each in turn."""

    def make(answers, **options):
        def answer_to(request):
            service, _, operation = request.headers["X-Amz-Target"].partition(".")
            if service == LOGS and operation not in answers:
                return refused(
                    "ResourceNotFoundException", "The specified log group does not exist."
                )
            if operation not in answers and operation in BY_DEFAULT:
                return BY_DEFAULT[operation]
            result = answers[operation]
            if not isinstance(result, list):
                return result
            return result.pop(0) if len(result) > 1 else result[0]

        server = scripted(answer_to)
        return provider_at(server.url, **options), server

    return make
