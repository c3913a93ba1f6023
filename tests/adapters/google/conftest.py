"""Google's clients, imported once, and what tests of a Vertex AI target share."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime

import pytest
from cloudserve.adapters.google.vertex.fields.options import Options
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import UserError
from cloudserve.project import Target

with warnings.catch_warnings():
    # TensorFlow brings grpc, and then api_core asks for a package that only gRPC errors need.
    warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
    import google.api_core.exceptions  # noqa: F401 - imported for its warning, in quiet


TODAY = date(2026, 11, 21)
"""A day on which Google offers its newest TensorFlow images; they end on 14 January 2027."""


@pytest.fixture
def vertex(clouds):
    """Give what makes the provider of a Vertex AI target as it is on a day."""

    def make(target, environ=clouds, day=TODAY):
        return create(target, environ, lambda: datetime(day.year, day.month, day.day, tzinfo=UTC))

    return make


@pytest.fixture(scope="session")
def options():
    """Give what makes the options of a target in europe-west4."""

    def make(**fields):
        return Options(bucket="gs://bucket", project="p", region="europe-west4", **fields)

    return make


class Located:
    """A bucket that is somewhere."""

    url = "gs://bucket"

    def __init__(self, place):
        self.place = place

    def location(self):
        return self.place


@pytest.fixture(scope="session")
def located():
    """Give what makes a bucket of a location."""
    return Located


@pytest.fixture(scope="session")
def refusal():
    """Give what makes a target that must be refused, and returns the error."""

    def make(**fields):
        values = {"bucket": "gs://bkt", "project": "p", **fields}
        with pytest.raises(UserError) as error:
            create(Target("gcp", "vertex", values, "f:1"), {})
        return error.value

    return make
