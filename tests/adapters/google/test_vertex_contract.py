"""Vertex AI fulfils the Provider contract, against the offline clouds through Google's clients."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.project import Target
from cloudserve.testing.provider_contract import ProviderContract


@pytest.fixture
def environ(clouds):
    return {**clouds, "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": clouds["AWS_ENDPOINT_URL"]}


class TestVertex(ProviderContract):
    asks_any_revision = False

    @pytest.fixture
    def provider(self, bucket, environ):
        return create(
            Target("gcp", "vertex", {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"}), environ
        )

    @pytest.fixture
    def first(self, half_plus_two):
        return half_plus_two

    @pytest.fixture
    def second(self, half_plus_three):
        return half_plus_three
