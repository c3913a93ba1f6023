"""The images that serve a model: Google's, while there are any, and containers of one's own."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from cloudserve.adapters.google.vertex.fields.images import (
    Availability,
    artifact_uri,
    check_image,
    container_spec,
    fingerprint,
    multi_region,
    prebuilt_image,
)
from cloudserve.adapters.google.vertex.fields.machines import with_accelerator
from cloudserve.adapters.google.vertex.planning.checks import check

from cloudserve.errors import ModelError, UserError
from cloudserve.release.types import Artifact, Location

TODAY = date(2026, 11, 21)
LOCATION = Location("gs://bucket", "cloudserve/m/revisions/v3-0/", "m", 3)


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
def test_a_version_without_an_image_is_refused(version, refusal):
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
def test_an_image_is_available_until_the_day_that_google_takes_it_away(
    version, today, gone, options
):
    available = Availability(
        "f:1", lambda: datetime(today.year, today.month, today.day, tzinfo=UTC)
    )
    image = container_spec(options(tensorflow_version=version), "m")["imageUri"]
    if gone:
        with pytest.raises(UserError, match="took the prebuilt image") as error:
            available.check(image)
        assert (error.value.where, "`image`" in error.value.hint) == ("f:1", True)
    else:
        available.check(image)
    available.check("europe-docker.pkg.dev/p/r/tf2-cpu.2-15:latest")


def test_a_target_is_made_whether_or_not_its_image_is_still_available(options):
    check_image(options(tensorflow_version="2.1"), "f:1")


def test_accelerators_get_the_image_for_them(options):
    settings = with_accelerator(options(machine_type="g2-standard-4"), str)
    assert container_spec(settings, "m") == {
        "imageUri": "europe-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-15:latest"
    }
    assert artifact_uri(settings, LOCATION) == "gs://bucket/cloudserve/m/revisions/v3-0/m/3/"


def test_a_container_of_ones_own_gets_what_tensorflow_serving_wants(options):
    settings = options(image="eu-docker.pkg.dev/p/r/serving:2.19", env={"B": "2", "A": "1"})
    assert container_spec(settings, "my_model") == {
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
    assert artifact_uri(settings, LOCATION) == "gs://bucket/cloudserve/m/revisions/v3-0/m/"


def test_a_container_of_ones_own_may_differ_in_everything(options):
    settings = options(
        image="i", args="--a 'b c'", port=9000, predict_route="/predict", health_route="/ok"
    )
    spec = container_spec(settings, "m")
    assert spec["args"] == ["--a", "b c"]
    assert spec["ports"] == [{"containerPort": 9000}]
    assert (spec["predictRoute"], spec["healthRoute"]) == ("/predict", "/ok")


def test_a_container_that_takes_no_arguments_gets_none(options):
    assert container_spec(options(image="i", args=""), "m")["args"] == []


def test_a_fingerprint_changes_with_the_container_and_the_files(options):
    spec = container_spec(options(), "m")
    other = container_spec(options(tensorflow_version="2.14"), "m")
    prints = {fingerprint(s, u) for s in (spec, dict(spec), other) for u in ("gs://a/", "gs://b/")}
    assert len(prints) == 4


def test_the_images_end_is_warned_of(options, located):
    here = located("EUROPE-WEST4")
    (ending,) = check(Artifact("2.21.0", 1, 1, ops=("MatMul",)), options(), here)
    assert "2.15 away on 2027-01-14" in ending
    assert "`image`" in ending


def test_an_op_that_the_image_does_not_have_is_refused(options, located):
    newer = Artifact("2.21.0", 1, 1, ops=("DecodeWebP", "MatMul"))
    with pytest.raises(ModelError) as error:
        check(newer, options(), located("EUROPE-WEST4"))
    assert error.value.message == (
        "the prebuilt image has TensorFlow 2.15, which has no op `DecodeWebP`: the model does not "
        "load there (TensorFlow 2.20 has it)"
    )
    own = options(image="europe-docker.pkg.dev/p/r/cloudserve:1")
    assert check(newer, own, located("EUROPE-WEST4")) == ()


def test_an_op_without_a_kernel_is_refused_unless_an_accelerator_has_one(options, located):
    model = Artifact("2.15.0", 1, 1, ops=("CudnnRNN",), kernel_ops=("CudnnRNN",))
    with pytest.raises(ModelError, match="has no kernel for the op `CudnnRNN`") as error:
        check(model, options(), located("EUROPE-WEST4"))
    assert error.value.hint.startswith("name a machine with a GPU")
    gpu = options(accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1)
    (ending,) = check(model, gpu, located("EUROPE-WEST4"))
    assert "away on" in ending


def test_variables_that_tensorflow_serving_does_not_restore_are_refused_for_googles_images(
    options, located
):
    broken = Artifact("2.15.1", 1, 1, unrestored=("dense/bias", "dense/kernel"))
    with pytest.raises(ModelError, match="Could not find variable dense/bias") as error:
        check(broken, options(), located("EUROPE-WEST4"))
    assert "model.export(" in error.value.hint
    own = options(image="gcr.io/own/cloudserve:1")
    (warning,) = check(broken, own, located("EUROPE-WEST4"))
    assert warning == (
        "TensorFlow Serving does not restore variables dense/bias, dense/kernel of this model; "
        "cloudserve's own server does: gcr.io/own/cloudserve:1 must run that"
    )


def test_an_image_that_is_tensorflow_serving_by_its_name_is_checked_as_a_prebuilt_one(
    options, located
):
    image = "europe-docker.pkg.dev/p/r/tensorflow-serving:2.19"
    broken = Artifact("2.15.1", 1, 1, unrestored=("dense/bias",))
    with pytest.raises(ModelError, match="Could not find variable dense/bias"):
        check(broken, options(image=image), located("EUROPE-WEST4"))
    newer = Artifact("2.20.0", 1, 1, ops=("DecodeWebP",))
    with pytest.raises(ModelError, match=r"has TensorFlow 2\.19, which has no op `DecodeWebP`"):
        check(newer, options(image=image), located("EUROPE-WEST4"))


def test_the_check_warns_that_a_rehearsal_does_not_run_an_own_image(options, located):
    own = options(image="us-docker.pkg.dev/p/r/serving:2.19")
    (text,) = check(Artifact("2.21.0", 1, 1), own, located("EUROPE-WEST4"))
    assert text == (
        "the offline clouds do not run the image us-docker.pkg.dev/p/r/serving:2.19: cloudserve's "
        "TensorFlow server answers in its place, so a rehearsal does not try what is in it"
    )
    for name in ("cloudserve:1", "cloudserve-gpu", "cloudserve@sha256:0"):
        ours = options(image=f"us-docker.pkg.dev/p/r/{name}")
        assert check(Artifact("2.21.0", 1, 1), ours, located("EUROPE-WEST4")) == ()


@pytest.mark.parametrize("image", ["tensorflow/serving:2.19", "ghcr.io/me/serving", "serving"])
def test_an_image_outside_googles_registries_is_refused(image, refusal):
    error = refusal(image=image)
    assert error.message == (
        f"the image `{image}` is not in Artifact Registry or Container Registry"
    )
    assert error.where == "f:1.image"
