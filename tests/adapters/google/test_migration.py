"""Every field of an AI Platform target maps to a field of Vertex AI, or is reported as removed."""

from __future__ import annotations

from dataclasses import fields

import pytest
from cloudserve.adapters.google.ai_platform.options import Options
from cloudserve.adapters.google.migration import RULES, to_vertex
from cloudserve.adapters.google.vertex.provider import create
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.project import Target


def moved(**old_fields):
    return to_vertex(Target("gcp", "ai-platform", old_fields, "f:1"))


def test_every_field_that_ai_platform_has_is_mapped():
    assert set(RULES) == {field.name for field in fields(Options)}


@pytest.mark.parametrize(
    ("old_fields", "becomes"),
    [
        ({}, {}),
        ({"runtime_version": "1.15"}, {"tensorflow_version": "2.15"}),
        ({"machine_type": "mls1-c4-m2"}, {"machine_type": "n1-standard-2"}),
        ({"machine_type": "n1-highmem-8"}, {"machine_type": "n1-highmem-8"}),
        ({"min_nodes": 0}, {"min_replicas": 1}),
        ({"min_nodes": 2, "max_nodes": 5}, {"min_replicas": 2, "max_replicas": 5}),
        (
            {"min_nodes": 2, "cpu_target": 60},
            {"min_replicas": 2, "cpu_target": 60, "max_replicas": 4},
        ),
        ({"cpu_target": 60, "max_nodes": 1}, {"cpu_target": 60, "max_replicas": 2}),
        ({"nodes": 3}, {"min_replicas": 3}),
        ({"labels": {"team": "x"}}, {"labels": {"team": "x"}}),
        ({"gpu_target": 50, "max_nodes": 1}, {"max_replicas": 1}),
        ({"service_account": "a@p.iam"}, {"service_account": "a@p.iam"}),
        ({"framework": "TENSORFLOW", "python_version": "3.7", "endpoint": "http://x"}, {}),
        ({"region": "europe-west4", "timeout_seconds": None}, {"region": "europe-west4"}),
    ],
)
def test_fields_become_those_of_vertex(old_fields, becomes):
    common = {"region": "us-central1", "tensorflow_version": "2.15"}
    assert moved(**old_fields).fields == {**common, **becomes}


def test_an_omitted_field_is_reported_with_its_reason():
    (gone,) = [m for m in moved(framework="TENSORFLOW").mapped if m.field == "framework"]
    assert (gone.to, gone.note) == ("", "the image is TensorFlow's")
    (unknown,) = [m for m in moved(machin="x").mapped if m.field == "machin"]
    assert (unknown.to, unknown.note) == ("", "AI Platform has no such field")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "min_nodes": st.integers(0, 9),
            "max_nodes": st.integers(10, 20),
            "cpu_target": st.integers(0, 100),
            "gpu_target": st.integers(0, 100),
            "runtime_version": st.sampled_from(["1.15", "2.1", "2.11"]),
            "machine_type": st.sampled_from(["mls1-c1-m2", "n1-standard-4"]),
            "accelerator_count": st.just(1),
        },
    )
)
def test_the_mapped_fields_of_any_ai_platform_target_are_valid_for_vertex(old_fields):
    if "accelerator_count" in old_fields:
        old_fields["accelerator_type"] = "NVIDIA_TESLA_T4"
    fields = moved(bucket="gs://some-bucket", project="p", **old_fields).fields
    create(Target("gcp-vertex", "vertex", fields, "f:2"), {})
