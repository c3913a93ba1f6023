"""Vertex AI fulfils the Provider contract, against the offline clouds through Google's clients."""

from __future__ import annotations

import pytest

from cloudserve.project import Target
from cloudserve.testing.ownership_contract import OwnershipContract
from cloudserve.testing.provider_contract import ProviderContract


class TestVertex(ProviderContract):
    asks_any_revision = False

    @pytest.fixture
    def provider(self, bucket, vertex):
        # A project of its own for each test: the emulator is shared.
        fields = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"}
        return vertex(Target("gcp", "vertex", fields))

    @pytest.fixture
    def first(self, half_plus_two):
        return half_plus_two

    @pytest.fixture
    def second(self, half_plus_three):
        return half_plus_three


class TestVertexOwners(OwnershipContract):
    @pytest.fixture
    def made(self, bucket, vertex):
        """Give what makes the provider of a target in one project."""

        def make(name, suffix, **more):
            fields = {"bucket": f"gs://{bucket}-{suffix}", "project": f"p-{bucket}", **more}
            return vertex(Target(name, "vertex", fields))

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
