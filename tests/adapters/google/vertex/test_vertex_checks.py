"""What Vertex AI would refuse is reported before anything is sent."""

from __future__ import annotations

from datetime import date

import pytest
from cloudserve.adapters.google.ai_platform.provider import create as create_ai_platform
from cloudserve.adapters.google.vertex.fields.machines import (
    N1_COUNTS,
    check_replicas,
    machine_spec,
    scaling,
    with_accelerator,
)
from cloudserve.adapters.google.vertex.planning.checks import check
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import Target
from cloudserve.release.types import Artifact, Location

TODAY = date(2026, 11, 21)
LOCATION = Location("gs://bucket", "cloudserve/m/revisions/v3-0/", "m", 3)


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
def test_a_machine_gets_the_accelerators_that_go_with_it(fields, spec, options):
    assert machine_spec(with_accelerator(options(**fields), str)) == spec


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
def test_a_pair_that_vertex_has_not_is_refused(fields, message, where, refusal):
    error = refusal(**fields)
    assert error.message == message
    assert error.where == f"f:1.accelerator_{where}"
    assert error.hint


def test_a_target_of_accelerators_needs_some(refusal, options):
    error = refusal(gpu_target=50, max_replicas=2)
    assert error.message == "`gpu_target` needs an accelerator, and n1-standard-2 has none"
    assert error.where == "f:1.gpu_target"
    assert with_accelerator(options(machine_type="g2-standard-4", gpu_target=50), str).gpu_target


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"machine_type": "foo"},
            "`foo` is not a machine type: expected FAMILY-KIND-SIZE, such as n1-standard-2",
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
def test_a_machine_that_vertex_has_not_is_refused(fields, message, refusal):
    error = refusal(**fields)
    assert error.message == message
    assert error.where == "f:1.machine_type"
    assert error.hint


def test_replicas_are_fixed_or_scale_to_a_target(options):
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
def test_replicas_that_contradict_each_other_are_refused(fields, message, options):
    with pytest.raises(UserError) as error:
        check_replicas(options(**fields), "f:1.{}".format)
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
def test_a_field_of_the_wrong_kind_is_refused(fields, refusal):
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
        ({f"n{i}": "" for i in range(60)}, "there are 60 labels; at most 56 fit"),
    ],
)
@pytest.mark.parametrize("adapter", [create, create_ai_platform])
def test_labels_that_google_does_not_take_are_refused(adapter, labels, message):
    fields = {"bucket": "gs://bkt", "project": "p", "labels": labels}
    with pytest.raises(UserError) as error:
        adapter(Target("gcp", "x", fields, "f:1"), {})
    assert (error.value.message, error.value.where) == (message, "f:1.labels")


def test_a_model_of_more_than_ten_gigabytes_is_refused(options, located):
    check(Artifact("", 10**10, 1), options(), located(None))
    with pytest.raises(UserError, match="10,000,000,001 bytes; Vertex AI takes 10,000,000,000"):
        check(Artifact("", 10**10 + 1, 1), options(), located(None))
