"""Vertex AI fulfils the Provider contract, against the offline clouds through Google's clients."""

from __future__ import annotations

import pytest

from cloudserve.project import Target
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
