"""The instances that a plan announces, compared with those of the endpoint after it."""

from __future__ import annotations

import pytest

from cloudserve.release.capacity import Change, capacity_of
from cloudserve.testing.provider_steps import perform, plan, promote, put
from tests.adapters.aws.conftest import deploy

KIND = "ml.m5.large"


def capacity(provider, actions):
    return capacity_of(provider.machines(provider.read("half"), actions))


def totals(provider, actions):
    known = capacity(provider, actions)
    return known.now, known.peak, known.after


@pytest.fixture
def instances(client):
    """Give what returns the desired instances of all endpoints by variant."""

    def by_variant():
        api = client("sagemaker")
        names = [each["EndpointName"] for each in api.list_endpoints()["Endpoints"]]
        variants = [
            variant
            for name in names
            for variant in api.describe_endpoint(EndpointName=name)["ProductionVariants"]
        ]
        return {each["VariantName"]: each["DesiredInstanceCount"] for each in variants}

    return by_variant


def test_a_first_deployment_starts_the_targets_instances(target, instances, half_plus_two):
    provider = target(instance_type=KIND, instance_count=2)
    one = put(provider, "half", 1, half_plus_two)
    actions = plan(provider, "half", one)
    known = capacity(provider, actions)
    assert known.machines == (Change(one.id, KIND, 0, 2),)
    assert (known.now, known.peak, known.after) == (0, 2, 2)
    perform(provider, actions)
    assert instances() == {one.id: 2}


def test_a_second_version_is_warm_beside_the_first_and_the_update_runs_both_fleets(
    target, instances, half_plus_two
):
    provider = target(instance_type=KIND)
    one = deploy(provider, 1, half_plus_two)
    two = put(provider, "half", 2, half_plus_two)
    actions = plan(provider, "half", two)
    assert totals(provider, actions) == (1, 3, 2)
    perform(provider, actions)
    assert instances() == {one.id: 1, two.id: 1}
    moves = provider.plan_traffic(provider.read("half"), two.id)
    assert totals(provider, moves) == (2, 2, 2)
    promote(provider, "half", two)
    removal = provider.plan_undeploy(provider.read("half"), (one.id,))
    assert capacity(provider, removal).after == 1


def test_other_machines_replace_the_present_ones(target, half_plus_two):
    one = deploy(target(instance_type=KIND), 1, half_plus_two)
    provider = target(instance_type="ml.c5.xlarge", instance_count=3)
    known = capacity(provider, plan(provider, "half", one))
    assert known.machines == (
        Change(one.id, "ml.c5.xlarge", 0, 3),
        Change(one.id, KIND, 1, 0),
    )
    assert (known.now, known.peak, known.after) == (1, 4, 3)


def test_a_number_that_was_changed_by_hand_is_the_present_one_and_is_retained(
    target, client, instances, half_plus_two
):
    provider = target(instance_type=KIND)
    one = deploy(provider, 1, half_plus_two)
    client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="half",
        DesiredWeightsAndCapacities=[{"VariantName": one.id, "DesiredInstanceCount": 3}],
    )
    waiter = client("sagemaker").get_waiter("endpoint_in_service")
    waiter.wait(EndpointName="half", WaiterConfig={"Delay": 0, "MaxAttempts": 1000})
    two = put(provider, "half", 2, half_plus_two)
    actions = plan(provider, "half", two)
    assert totals(provider, actions) == (3, 7, 4)
    perform(provider, actions)
    assert instances() == {one.id: 3, two.id: 1}


def test_a_number_that_was_changed_by_hand_ends_if_the_data_capture_changes(
    target, client, instances, half_plus_two
):
    one = deploy(target(instance_type=KIND), 1, half_plus_two)
    client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="half",
        DesiredWeightsAndCapacities=[{"VariantName": one.id, "DesiredInstanceCount": 3}],
    )
    waiter = client("sagemaker").get_waiter("endpoint_in_service")
    waiter.wait(EndpointName="half", WaiterConfig={"Delay": 0, "MaxAttempts": 1000})
    provider = target(instance_type=KIND, capture_percent=10)
    actions = plan(provider, "half", one)
    assert totals(provider, actions) == (3, 4, 1)
    perform(provider, actions)
    assert instances() == {one.id: 1}


def test_automatic_scaling_has_a_range(target, half_plus_two):
    scaling = {"min": 2, "max": 5, "invocations_per_instance": 600}
    provider = target(instance_type=KIND, instance_count=2, autoscaling=scaling)
    one = put(provider, "half", 1, half_plus_two)
    actions = plan(provider, "half", one)
    assert capacity(provider, actions).machines == (Change(one.id, KIND, 0, 2, most=5),)


def test_serverless_machines_are_none(target, half_plus_two):
    provider = target(serverless_memory_mb=2048)
    one = put(provider, "half", 1, half_plus_two)
    known = capacity(provider, plan(provider, "half", one))
    assert (known.now, known.peak, known.after) == (0, 0, 0)
    (change,) = known.machines
    assert change.kind.startswith("serverless 2048 MB")


def test_a_guarded_update_has_a_second_endpoint_until_the_promotion_ends(
    target, instances, half_plus_two
):
    provider = target(instance_type=KIND, update="all-at-once")
    one = deploy(provider, 1, half_plus_two)
    two = put(provider, "half", 2, half_plus_two)
    actions = plan(provider, "half", two)
    assert capacity(provider, actions).machines == (
        Change(one.id, KIND, 1, 1),
        Change(two.id, KIND, 0, 1),
    )
    perform(provider, actions)
    moves = provider.plan_traffic(provider.read("half"), two.id)
    assert totals(provider, moves) == (2, 3, 1)
    perform(provider, moves)
    assert instances() == {"AllTraffic": 1}


def test_a_rolling_update_has_one_batch_beside_the_instances(target, instances, half_plus_two):
    provider = target(
        instance_type=KIND,
        instance_count=4,
        update="rolling",
        update_percent=50,
        update_wait_seconds=0,
    )
    deploy(provider, 1, half_plus_two)
    two = put(provider, "half", 2, half_plus_two)
    perform(provider, plan(provider, "half", two))
    moves = provider.plan_traffic(provider.read("half"), two.id)
    assert totals(provider, moves) == (5, 7, 4)  # an endpoint of one instance proves the version
    perform(provider, moves)
    assert instances() == {"AllTraffic": 4}


def test_a_shadow_variant_has_instances_of_its_own_until_the_promotion(
    target, instances, client, half_plus_two
):
    provider = target(instance_type=KIND, shadow_percent=25)
    one = deploy(provider, 1, half_plus_two)
    two = put(provider, "half", 2, half_plus_two)
    actions = plan(provider, "half", two)
    known = capacity(provider, actions)
    assert known.machines == (Change(one.id, KIND, 1, 1), Change(two.id, KIND, 0, 1))
    assert (known.now, known.peak, known.after) == (1, 3, 2)
    perform(provider, actions)
    shadows = client("sagemaker").describe_endpoint(EndpointName="half")["ShadowProductionVariants"]
    assert [each["DesiredInstanceCount"] for each in shadows] == [1]
    moves = provider.plan_traffic(provider.read("half"), two.id)
    assert totals(provider, moves) == (2, 3, 1)
    perform(provider, moves)
    assert instances() == {"AllTraffic": 1}
    assert "ShadowProductionVariants" not in client("sagemaker").describe_endpoint(
        EndpointName="half"
    )


def test_models_that_share_an_endpoint_share_its_instances(target, instances, half_plus_two):
    provider = target(instance_type=KIND, instance_count=2, multi_model="all")
    one = put(provider, "half", 1, half_plus_two)
    actions = plan(provider, "half", one)
    known = capacity(provider, actions)
    assert (known.now, known.peak, known.after) == (0, 2, 2)
    perform(provider, actions)
    assert sum(instances().values()) == 2
    two = put(provider, "half", 2, half_plus_two)
    actions = plan(provider, "half", two)
    assert totals(provider, actions) == (2, 2, 2)
    perform(provider, actions)
    moves = provider.plan_traffic(provider.read("half"), two.id)
    assert totals(provider, moves) == (2, 2, 2)
    removal = provider.plan_undeploy(provider.read("half"), None)
    assert totals(provider, removal) == (2, 2, 0)
