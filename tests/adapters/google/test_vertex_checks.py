"""What Vertex AI would refuse is told before anything is sent: machines, images, sizes, places."""

from __future__ import annotations

from datetime import date

import pytest
from cloudserve.adapters.google.ai_platform import create as create_ai_platform
from cloudserve.adapters.google.vertex.checks import check
from cloudserve.adapters.google.vertex.images import (
    artifact_uri,
    check_image,
    container_spec,
    fingerprint,
    multi_region,
    prebuilt_image,
)
from cloudserve.adapters.google.vertex.machines import (
    N1_COUNTS,
    check_replicas,
    machine_spec,
    scaling,
    with_accelerator,
)
from cloudserve.adapters.google.vertex.options import Options
from cloudserve.adapters.google.vertex.provider import create
from cloudserve.adapters.google.vertex.regions import check_region, known_regions

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import Target
from cloudserve.release.nouns import Artifact, Location

TODAY = date(2026, 11, 21)
LOCATION = Location("gs://bucket", "cloudserve/m/revisions/v3-0/", "m", 3)


def options(**fields):
    return Options(bucket="gs://bucket", project="p", region="europe-west4", **fields)


class Bucket:
    """A bucket that is somewhere."""

    url = "gs://bucket"

    def __init__(self, place):
        self.place = place

    def location(self):
        return self.place


def refusal(**fields):
    with pytest.raises(UserError) as error:
        create(Target("gcp", "vertex", {"bucket": "gs://bkt", "project": "p", **fields}, "f:1"), {})
    return error.value


# Machines and accelerators.


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ({}, {"machineType": "n1-standard-2"}),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4"},
            {
                "machineType": "n1-standard-2",
                "acceleratorType": "NVIDIA_TESLA_T4",
                "acceleratorCount": 1,
            },
        ),
        (
            {"machine_type": "g2-standard-24"},
            {
                "machineType": "g2-standard-24",
                "acceleratorType": "NVIDIA_L4",
                "acceleratorCount": 2,
            },
        ),
        (
            {"machine_type": "a2-ultragpu-8g", "accelerator_type": "NVIDIA_A100_80GB"},
            {
                "machineType": "a2-ultragpu-8g",
                "acceleratorType": "NVIDIA_A100_80GB",
                "acceleratorCount": 8,
            },
        ),
        (
            {"machine_type": "z9-new-4", "accelerator_type": "NEW", "accelerator_count": 2},
            {"machineType": "z9-new-4", "acceleratorType": "NEW", "acceleratorCount": 2},
        ),
    ],
)
def test_a_machine_gets_the_accelerators_that_go_with_it(fields, spec):
    assert machine_spec(with_accelerator(options(**fields), "f:1")) == spec


@pytest.mark.parametrize(
    ("fields", "message", "where"),
    [
        ({"accelerator_count": 1}, "`accelerator_count` needs an `accelerator_type`", "count"),
        (
            {"machine_type": "e2-standard-4", "accelerator_type": "NVIDIA_L4"},
            "e2-standard-4 takes no accelerator",
            "type",
        ),
        (
            {"accelerator_type": "NVIDIA_L4"},
            f"n1-standard-2 takes no NVIDIA_L4; it takes {', '.join(N1_COUNTS)}",
            "type",
        ),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 3},
            "n1-standard-2 takes 1, 2, 4 of NVIDIA_TESLA_T4, not 3",
            "count",
        ),
        (
            {
                "machine_type": "g2-standard-12",
                "accelerator_type": "NVIDIA_L4",
                "accelerator_count": 4,
            },
            "g2-standard-12 has 1 x NVIDIA_L4 built in, not 4 x NVIDIA_L4",
            "type",
        ),
    ],
)
def test_a_pair_that_vertex_has_not_is_refused(fields, message, where):
    error = refusal(**fields)
    assert error.message == message
    assert error.where == f"f:1.accelerator_{where}"
    assert error.hint


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"machine_type": "foo"},
            "`foo` is no machine type: one is FAMILY-KIND-SIZE, such as n1-standard-2",
        ),
        (
            {"machine_type": "n1-standard-3"},
            "there is no n1-standard-3 for predictions; n1 has the sizes 2, 4, 8, 16, 32",
        ),
        (
            {"machine_type": "a2-ultragpu-3g"},
            (
                "there is no a2-ultragpu-3g for predictions; there are a2-highgpu-1g, "
                "a2-highgpu-2g, a2-highgpu-4g, a2-highgpu-8g, a2-megagpu-16g, "
                "a2-ultragpu-1g, a2-ultragpu-2g, a2-ultragpu-4g, a2-ultragpu-8g"
            ),
        ),
    ],
)
def test_a_machine_that_vertex_has_not_is_refused(fields, message):
    error = refusal(**fields)
    assert error.message == message
    assert error.where == "f:1.machine_type"
    assert error.hint


def test_replicas_are_fixed_or_scale_to_a_target():
    assert scaling(options()) == {
        "minReplicaCount": 1,
        "maxReplicaCount": 1,
        "autoscalingMetricSpecs": [],
    }
    assert scaling(options(min_replicas=2, max_replicas=8, cpu_target=70, gpu_target=50)) == {
        "minReplicaCount": 2,
        "maxReplicaCount": 8,
        "autoscalingMetricSpecs": [
            {
                "metricName": "aiplatform.googleapis.com/prediction/online/cpu/utilization",
                "target": 70,
            },
            {
                "metricName": "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle",
                "target": 50,
            },
        ],
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_replicas": 3, "max_replicas": 2}, "`max_replicas` is 2, below `min_replicas`, 3"),
        (
            {"cpu_target": 60},
            "`cpu_target` needs `max_replicas` above `min_replicas` to scale to",
        ),
    ],
)
def test_replicas_that_contradict_each_other_are_refused(fields, message):
    with pytest.raises(UserError) as error:
        check_replicas(options(**fields), "f:1")
    assert error.value.message == message


@pytest.mark.parametrize(
    "fields",
    [
        {"min_replicas": 0},
        {"cpu_target": 101},
        {"predict_route": "predict"},
        {"port": 0},
        {"labels": "team"},
        {"machine": "n1-standard-2"},
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(fields):
    assert isinstance(refusal(**fields), ProjectError)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"Team": "x"}, "`Team` is not a label's name"),
        ({"1st": "x"}, "`1st` is not a label's name"),
        ({"a" * 64: "x"}, f"`{'a' * 64}` is not a label's name"),
        ({"team": "Vision"}, "`Vision` is not a label's value (team)"),
        ({"team": "a" * 64}, f"`{'a' * 64}` is not a label's value (team)"),
        ({"cloudserve-model": "x"}, "`cloudserve-model` is cloudserve's own label"),
        ({f"n{i}": "" for i in range(60)}, "there are 60 labels; at most 59 fit"),
    ],
)
@pytest.mark.parametrize("adapter", [create, create_ai_platform])
def test_labels_that_google_does_not_take_are_refused(adapter, labels, message):
    fields = {"bucket": "gs://bkt", "project": "p", "labels": labels}
    with pytest.raises(UserError) as error:
        adapter(Target("gcp", "x", fields, "f:1"), {})
    assert (error.value.message, error.value.where) == (message, "f:1.labels")


# Images.


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-central1", "us"),
        ("northamerica-northeast1", "us"),
        ("southamerica-east1", "us"),
        ("europe-west4", "europe"),
        ("me-west1", "europe"),
        ("africa-south1", "europe"),
        ("asia-northeast1", "asia"),
        ("australia-southeast1", "asia"),
    ],
)
def test_the_nearest_registry_serves_a_region(region, host):
    assert multi_region(region) == host
    assert prebuilt_image(region, "2.15", gpu=False) == (
        f"{host}-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    )


def test_every_prebuilt_image_is_one_that_googles_sdk_knows():
    from google.cloud.aiplatform.constants import prediction

    known = set(prediction.SERVING_CONTAINER_URIS)
    for region in ("us-east1", "europe-west1", "asia-east1"):
        for minor in range(1, 16):
            for gpu in (False, True):
                assert prebuilt_image(region, f"2.{minor}", gpu=gpu) in known
    assert not [uri for uri in known if "tf2-cpu.2-16" in uri]


@pytest.mark.parametrize("version", ["2.16", "1.15", "2", "newest"])
def test_a_version_without_an_image_is_refused(version):
    error = refusal(tensorflow_version=version)
    assert error.message == (
        f"Vertex AI has no prebuilt image of TensorFlow {version}; the newest is 2.15"
    )
    assert error.where == "f:1.tensorflow_version"


@pytest.mark.parametrize(
    ("version", "today", "gone"),
    [
        ("2.15", TODAY, False),
        ("2.14", TODAY, False),
        ("2.13", TODAY, True),
        ("2.3", TODAY, True),
        ("2.15", date(2027, 1, 13), False),
        ("2.15", date(2027, 1, 14), True),
        ("", date(2027, 1, 14), True),
    ],
)
def test_an_image_that_was_taken_away_is_refused(version, today, gone):
    given = options(tensorflow_version=version)
    if gone:
        with pytest.raises(UserError, match="took the prebuilt image") as error:
            check_image(given, "f:1", today)
        assert "`image`" in error.value.hint
    else:
        check_image(given, "f:1", today)
    check_image(options(tensorflow_version=version, image="europe-docker.pkg.dev/p/r/i"), "", today)


def test_accelerators_get_the_image_for_them():
    given = with_accelerator(options(machine_type="g2-standard-4"), "")
    assert container_spec(given, "m") == {
        "imageUri": "europe-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-15:latest"
    }
    assert artifact_uri(given, LOCATION) == "gs://bucket/cloudserve/m/revisions/v3-0/m/3/"


def test_a_container_of_ones_own_gets_what_tensorflow_serving_wants():
    given = options(image="eu-docker.pkg.dev/p/r/serving:2.19", env={"B": "2", "A": "1"})
    assert container_spec(given, "my_model") == {
        "imageUri": "eu-docker.pkg.dev/p/r/serving:2.19",
        "args": [
            "--rest_api_port=8080",
            "--model_name=my_model",
            "--model_base_path=$(AIP_STORAGE_URI)",
        ],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 8080}],
        "predictRoute": "/v1/models/my_model:predict",
        "healthRoute": "/v1/models/my_model",
    }
    assert artifact_uri(given, LOCATION) == "gs://bucket/cloudserve/m/revisions/v3-0/m/"


def test_a_container_of_ones_own_may_differ_in_everything():
    given = options(
        image="i", args="--a 'b c'", port=9000, predict_route="/predict", health_route="/ok"
    )
    spec = container_spec(given, "m")
    assert spec["args"] == ["--a", "b c"]
    assert spec["ports"] == [{"containerPort": 9000}]
    assert (spec["predictRoute"], spec["healthRoute"]) == ("/predict", "/ok")


def test_a_container_that_takes_no_arguments_gets_none():
    assert container_spec(options(image="i", args=""), "m")["args"] == []


def test_a_fingerprint_changes_with_the_container_and_the_files():
    spec = container_spec(options(), "m")
    other = container_spec(options(tensorflow_version="2.14"), "m")
    prints = {fingerprint(s, u) for s in (spec, dict(spec), other) for u in ("gs://a/", "gs://b/")}
    assert len(prints) == 4


# The model and its bucket.


def test_the_images_end_and_its_age_are_warned_of():
    here = Bucket("EUROPE-WEST4")
    (ending,) = check(Artifact("2.15.1", 1, 1), options(), here)
    assert "2.15 away on 2027-01-14" in ending
    assert "`image`" in ending
    _, older = check(Artifact("2.21.0", 1, 1), options(), here)
    assert older == (
        "TensorFlow 2.21.0 wrote the model, and the prebuilt image has 2.15: it fails to load if "
        "it uses an op that is newer"
    )
    assert len(check(Artifact("", 1, 1), options(), here)) == 1
    assert check(Artifact("2.21.0", 1, 1), options(image="i"), here) == ()


def test_a_model_of_more_than_ten_gigabytes_is_refused():
    check(Artifact("", 10**10, 1), options(), Bucket(None))
    with pytest.raises(UserError, match="10,000,000,001 bytes; Vertex AI takes 10,000,000,000"):
        check(Artifact("", 10**10 + 1, 1), options(), Bucket(None))


@pytest.mark.parametrize("place", [None, "EUROPE-WEST4", "EU", "EUR4"])
def test_a_bucket_of_the_region_or_its_continent_will_do(place):
    check(Artifact("", 1, 1), options(), Bucket(place))


@pytest.mark.parametrize("place", ["EUROPE-WEST1", "US-CENTRAL1", "US", "ASIA"])
def test_a_bucket_elsewhere_is_refused(place):
    with pytest.raises(UserError) as error:
        check(Artifact("", 1, 1), options(), Bucket(place))
    assert error.value.message == (
        f"the bucket is in {place.lower()} and the endpoint in europe-west4"
    )


def test_a_bucket_says_where_it_is(bucket, clouds, lines):
    fields = {"bucket": f"gs://{bucket}", "project": "p", "region": "europe-west4"}
    blobs = create(Target("gcp", "vertex", fields), clouds).blobs
    assert blobs.location() is None
    blobs.ensure(lines.append)
    assert blobs.location() == "EUROPE-WEST4"
    elsewhere = create(Target("gcp", "vertex", {**fields, "region": "us-east1"}), clouds)
    with pytest.raises(UserError, match="is in europe-west4 and the endpoint in us-east1"):
        elsewhere.check(Artifact("", 1, 1))


# Regions.


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
        check_region(region, {"us-central1", "us-central2", "us-east1"}, "f:1")
    assert error.value.message == f"Vertex AI has no region `{region}`"
    assert error.value.where == "f:1.region"
    assert error.value.hint == f"{hint}A newer google-api-python-client may know more of them"


def test_a_region_passes_where_it_is_known_or_none_is():
    check_region("us-central1", known_regions(), "")
    check_region("europe-west99", frozenset(), "")


def test_a_target_in_no_region_is_refused_by_its_line():
    error = refusal(region="europe-west99")
    assert error.message == "Vertex AI has no region `europe-west99`"
    assert error.where == "f:1.region"
    assert str(error.hint).startswith("did you mean europe-west9")
