"""Regions: those that Vertex AI has, the buckets in them, and the host that answers there."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.vertex.fields.options import Options
from cloudserve.adapters.google.vertex.fields.regions import check_region, known_regions
from cloudserve.adapters.google.vertex.planning.checks import check
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import UserError
from cloudserve.project import Target
from cloudserve.release.types import Artifact
from cloudserve.storage.events import Reporter


@pytest.mark.parametrize("place", [None, "EUROPE-WEST4", "EU", "EUR4"])
def test_a_bucket_of_the_region_or_its_continent_will_do(place, options, located):
    check(Artifact("", 1, 1), options(), located(place))


@pytest.mark.parametrize("place", ["EUROPE-WEST1", "US-CENTRAL1", "US", "ASIA"])
def test_a_bucket_elsewhere_is_refused(place, options, located):
    with pytest.raises(UserError) as error:
        check(Artifact("", 1, 1), options(), located(place))
    assert error.value.message == (
        f"the bucket is in {place.lower()} and the endpoint in europe-west4"
    )


def test_a_bucket_says_where_it_is(bucket, clouds, lines):
    fields = {"bucket": f"gs://{bucket}", "project": "p", "region": "europe-west4"}
    blobs = create(Target("gcp", "vertex", fields), clouds).blobs
    assert blobs.location() is None
    blobs.ensure(Reporter(lines.append))
    assert blobs.location() == "EUROPE-WEST4"
    elsewhere = create(Target("gcp", "vertex", {**fields, "region": "us-east1"}), clouds)
    with pytest.raises(UserError, match="is in europe-west4 and the endpoint in us-east1"):
        elsewhere.check(Artifact("", 1, 1))


def test_the_regions_are_those_of_googles_own_discovery_document():
    assert {"us-central1", "europe-west4", "asia-northeast1"} <= known_regions()


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("Us-Central1", "did you mean us-central1 or us-central2 or us-east1? "),
        ("nowhere", ""),
    ],
)
def test_a_region_that_vertex_has_not_is_refused(region, hint):
    with pytest.raises(UserError) as error:
        check_region(region, {"us-central1", "us-central2", "us-east1"}, "f:1.{}".format)
    assert error.value.message == f"Vertex AI has no region `{region}`"
    assert error.value.where == "f:1.region"
    assert error.value.hint == f"{hint}A newer google-api-python-client may know more of them"


def test_a_region_passes_where_it_is_known_or_none_is():
    check_region("us-central1", known_regions(), str)
    check_region("europe-west99", frozenset(), str)


def test_a_target_in_no_region_is_refused_by_its_line(refusal):
    error = refusal(region="europe-west99")
    assert error.message == "Vertex AI has no region `europe-west99`"
    assert error.where == "f:1.region"
    assert str(error.hint).startswith("did you mean europe-west9")


@pytest.mark.parametrize(
    ("region", "host"),
    [("us-central1", "us-central1"), ("europe-west4", "europe-west4")],
)
def test_a_regions_own_host_is_asked_by_default(region, host):
    options = Options(bucket="gs://b", project="p", region=region, endpoint="")
    assert options.api_endpoint == f"https://{host}-aiplatform.googleapis.com"
