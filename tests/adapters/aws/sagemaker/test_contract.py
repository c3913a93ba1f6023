"""SageMaker fulfils both contracts, against the offline clouds and moto, through boto3."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from cloudserve.adapters.aws.sagemaker.provider import create
from moto.server import ThreadedMotoServer

from cloudserve.project import Target
from cloudserve.testing.blob_contract import BlobStoreContract
from cloudserve.testing.ownership_contract import OwnershipContract
from cloudserve.testing.provider_contract import ProviderContract

# The emulator is shared and SageMaker's names are an account's: a region each keeps tests apart.
REGIONS = (f"us-contract-{number}" for number in itertools.count(1))


def target_of(bucket, region="us-east-1", **more):
    fields = {
        "bucket": f"s3://{bucket}",
        "role_arn": "arn:aws:iam::000000000000:role/serving",
        "region": region,
        # A copy of AWS's image: its own registries are in regions that exist.
        "image": f"000000000000.dkr.ecr.{region}.amazonaws.com/tensorflow-inference:2.20-cpu-py312",
    }
    return Target("aws", "sagemaker", fields | more)


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    server.stop()


class TestSageMaker(ProviderContract):
    @pytest.fixture
    def provider(self, bucket, clouds):
        return create(target_of(bucket, next(REGIONS)), clouds)

    @pytest.fixture
    def first(self, half_plus_two):
        return half_plus_two

    @pytest.fixture
    def second(self, half_plus_three):
        return half_plus_three


class TestServerlessSageMaker(TestSageMaker):
    """One revision at a time; each that is not live has an endpoint of its own."""

    splits_traffic = False

    @pytest.fixture
    def provider(self, bucket, clouds):
        fields = {"serverless_memory_mb": 2048, "serverless_provisioned": 1}
        return create(target_of(bucket, next(REGIONS), **fields), clouds)


class TestShadowedSageMaker(TestSageMaker):
    """One revision at a time; one that is not live gets copies of requests."""

    splits_traffic = False
    asks_any_revision = False

    @pytest.fixture
    def provider(self, bucket, clouds):
        return create(target_of(bucket, next(REGIONS), shadow_percent=50), clouds)


class TestMultiModelSageMaker(TestSageMaker):
    """Models share an endpoint; each request names a revision."""

    splits_traffic = False

    @pytest.fixture
    def provider(self, bucket, clouds):
        return create(target_of(bucket, next(REGIONS), multi_model="all-of-them"), clouds)


class TestSageMakerOwners(OwnershipContract):
    @pytest.fixture
    def made(self, bucket, clouds):
        """Give what makes the provider of a target in one region."""
        region = next(REGIONS)

        def make(name, suffix, **more):
            target = target_of(f"{bucket}-{suffix}", region, **more)
            return create(replace(target, name=name), clouds)

        return make

    @pytest.fixture
    def mine(self, made):
        return made("mine", "mine")

    @pytest.fixture
    def theirs(self, made):
        return made("theirs", "theirs")

    @pytest.fixture
    def apart(self, made):
        return made("theirs", "theirs", endpoint_name="{model}-theirs")

    @pytest.fixture
    def first(self, half_plus_two):
        return half_plus_two

    @pytest.fixture
    def second(self, half_plus_three):
        return half_plus_three


class TestServerlessOwners(TestSageMakerOwners):
    @pytest.fixture
    def made(self, bucket, clouds):
        """Give what makes the provider of a serverless target in one region."""
        region = next(REGIONS)

        def make(name, suffix, **more):
            target = target_of(f"{bucket}-{suffix}", region, serverless_memory_mb=2048, **more)
            return create(replace(target, name=name), clouds)

        return make


class TestS3Blobs(BlobStoreContract):
    @pytest.fixture
    def missing(self, bucket, clouds):
        return create(target_of(bucket), clouds).blobs


class TestS3BlobsAgainstMoto(BlobStoreContract):
    """An oracle that is not ours, so that uploader and store do not agree on a mistake."""

    @pytest.fixture
    def missing(self, bucket, moto):
        return create(target_of(bucket), moto).blobs
