"""The machines that a plan announces, compared with those of the endpoint after it."""

from __future__ import annotations

import pytest

from cloudserve.project import Target
from cloudserve.release.capacity import Change, capacity_of
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import perform, plan, promote, put, removal

KIND = "n1-standard-2"


@pytest.fixture
def target(bucket, vertex):
    fields = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}", "machine_type": KIND}
    return lambda **more: vertex(Target("gcp", "vertex", fields | more))


def capacity(provider, actions):
    return capacity_of(provider.machines(provider.read(MODEL), actions))


def replicas(provider):
    """Return what the endpoint's deployments have now, without a plan."""
    known = capacity(provider, ())
    return {change.revision: change.now for change in known.machines}


def test_versions_have_machines_until_they_are_undeployed(target, half_plus_two):
    provider = target(min_replicas=1, max_replicas=3)
    one, two = (put(provider, MODEL, number, half_plus_two) for number in (1, 2))
    actions = plan(provider, MODEL, one)
    assert capacity(provider, actions).machines == (Change(one.id, KIND, 0, 1, most=3),)
    perform(provider, actions)
    actions = plan(provider, MODEL, two)
    known = capacity(provider, actions)
    assert (known.now, known.peak, known.after) == (1, 2, 2)
    perform(provider, actions)
    assert replicas(provider) == {one.id: 1, two.id: 1}
    promote(provider, MODEL, two)
    actions = removal(provider, MODEL, one)
    assert capacity(provider, actions).machines == (
        Change(one.id, KIND, 1, 0),
        Change(two.id, KIND, 1, 1, most=3),
    )
    perform(provider, actions)
    assert replicas(provider) == {two.id: 1}


def test_other_replicas_are_a_change_of_the_same_machines(target, half_plus_two):
    one = put(target(), MODEL, 1, half_plus_two)
    perform(target(), plan(target(), MODEL, one))
    provider = target(min_replicas=2, max_replicas=2)
    actions = plan(provider, MODEL, one)
    assert capacity(provider, actions).machines == (Change(one.id, KIND, 1, 2),)


def test_accelerators_are_part_of_the_kind(target, half_plus_two):
    provider = target(
        machine_type="n1-standard-4", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1
    )
    one = put(provider, MODEL, 1, half_plus_two)
    (change,) = capacity(provider, plan(provider, MODEL, one)).machines
    assert change.kind == "n1-standard-4 with 1 NVIDIA_TESLA_T4"
