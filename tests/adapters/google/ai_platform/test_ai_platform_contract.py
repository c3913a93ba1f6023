"""AI Platform fulfils both contracts, against the offline clouds through Google's own clients."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.ai_platform.provider import create

from cloudserve.project import Target
from cloudserve.testing.blob_contract import BlobStoreContract
from cloudserve.testing.ownership_contract import OwnershipContract
from cloudserve.testing.provider_contract import ProviderContract


@pytest.fixture
def target(bucket):
    # A project of its own for each test: the emulator is shared.
    return Target("gcp", "ai-platform", {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"})


class TestAiPlatform(ProviderContract):
    splits_traffic = False

    @pytest.fixture
    def provider(self, target, clouds):
        return create(target, clouds)

    @pytest.fixture
    def first(self, half_plus_two):
        return half_plus_two

    @pytest.fixture
    def second(self, half_plus_three):
        return half_plus_three


class TestAiPlatformOwners(OwnershipContract):
    @pytest.fixture
    def made(self, bucket, clouds):
        """Give what makes the provider of a target in one project."""

        def make(name, suffix, **more):
            fields = {"bucket": f"gs://{bucket}-{suffix}", "project": f"p-{bucket}", **more}
            return create(Target(name, "ai-platform", fields), clouds)

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


class TestGcsBlobs(BlobStoreContract):
    @pytest.fixture
    def missing(self, target, clouds):
        return create(target, clouds).blobs
