"""Automatic scaling: registered after the endpoint is in service, deregistered before an update."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from cloudserve.errors import ConflictError, ProjectError
from cloudserve.testing.provider_steps import perform, plan, promote, put
from tests.adapters.aws.conftest import deploy

WANTED = {"min": 1, "max": 3, "invocations_per_instance": 600, "scale_in_cooldown": 60}
LATER = {"async_output": "s3://some-bucket/answers"}


@pytest.fixture
def scaling(client):
    """Give what returns the scaled variants of the endpoint with their limits."""

    def targets():
        answer = client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="sagemaker"
        )
        return {
            target["ResourceId"].rpartition("/")[2]: (target["MinCapacity"], target["MaxCapacity"])
            for target in answer["ScalableTargets"]
        }

    return targets


def kinds(actions):
    return [action.kind for action in actions]


def test_a_variant_is_scaled_as_described_and_status_shows_it(target, scaling, half_plus_two):
    provider = target(autoscaling=WANTED)
    one = deploy(provider, 1, half_plus_two)
    assert scaling() == {one.id: (1, 3)}
    (revision,) = provider.read("half").deployment.revisions
    assert revision.settings["autoscaling"] == WANTED
    assert plan(provider, "half", one) == ()


def test_defaults_that_the_service_shows_in_a_policy_are_no_change(target, client, half_plus_two):
    """EC2 Auto Scaling shows `"DisableScaleIn": false` of a policy that does not say it."""
    provider = target(autoscaling=WANTED)
    one = deploy(provider, 1, half_plus_two)
    scaling = client("application-autoscaling")
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    keys = ("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyType")
    same = {name: policy[name] for name in keys}
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    shown = configuration | {"DisableScaleIn": False, "ScaleOutCooldown": 300}
    scaling.put_scaling_policy(**same, TargetTrackingScalingPolicyConfiguration=shown)
    assert plan(provider, "half", one) == ()
    assert provider.settings(provider.read("half")) == ()
    stopped = configuration | {"DisableScaleIn": True}
    scaling.put_scaling_policy(**same, TargetTrackingScalingPolicyConfiguration=stopped)
    assert kinds(plan(provider, "half", one)) == ["register-scaling"]
    (row,) = provider.settings(provider.read("half"))
    assert row.platform == "another policy"


def test_a_change_is_planned_by_its_own_words_and_the_end_of_scaling_too(
    target, scaling, half_plus_two
):
    one = deploy(target(autoscaling=WANTED), 1, half_plus_two)
    provider = target(autoscaling=WANTED | {"max": 4})
    (action,) = plan(provider, "half", one)
    assert action.sentence == (
        f"scale {one.id} of the endpoint half from 1 to 4 instances, "
        "at 600 requests a minute per instance"
    )
    perform(provider, [action])
    assert scaling() == {one.id: (1, 4)}
    actions = plan(target(), "half", one)
    assert kinds(actions) == ["deregister-scaling"]
    perform(target(), actions)
    assert scaling() == {}
    assert plan(target(), "half", one) == ()


def test_an_update_that_the_service_refuses_deregisters_first(
    target, scaling, client, half_plus_two
):
    one = deploy(target(autoscaling=WANTED), 1, half_plus_two)
    provider = target(autoscaling=WANTED, instance_type="ml.m5.xlarge")
    actions = plan(provider, "half", one)
    assert kinds(actions) == [
        "deregister-scaling",
        "create-endpoint-config",
        "update-endpoint",
        "register-scaling",
    ]
    perform(provider, [actions[1]])
    with pytest.raises(ClientError, match="registered as a scalable target"):
        client("sagemaker").update_endpoint(
            EndpointName="half", EndpointConfigName=actions[1].args["config"]
        )
    perform(provider, actions)
    assert scaling() == {one.id: (1, 3)}


def test_the_variant_of_the_next_version_is_scaled_and_the_removed_one_is_not(
    target, scaling, half_plus_two, half_plus_three
):
    provider = target(autoscaling=WANTED)
    deploy(provider, 1, half_plus_two)
    two = deploy(provider, 2, half_plus_three)
    promote(provider, "half", two)
    three = deploy(provider, 3, half_plus_two)
    assert scaling().keys() == {two.id, three.id}
    perform(provider, provider.plan_undeploy(provider.read("half"), None))
    assert scaling() == {}


def test_a_target_that_somebody_else_registered_is_not_touched(
    target, scaling, client, half_plus_two
):
    one = deploy(target(), 1, half_plus_two)
    client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/half/variant/{one.id}",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=9,
    )
    assert plan(target(), "half", one) == ()
    with pytest.raises(ConflictError, match="registered for scaling, and not by cloudserve"):
        plan(target(autoscaling=WANTED), "half", one)
    assert scaling() == {one.id: (1, 9)}


def test_an_asynchronous_endpoint_scales_to_zero_by_its_backlog(target, scaling, half_plus_two):
    wanted = {"min": 0, "max": 2, "backlog_per_instance": 5}
    provider = target(**LATER, autoscaling=wanted)
    put_revision = put(provider, "half", 1, half_plus_two)
    perform(provider, plan(provider, "half", put_revision))
    assert scaling() == {"AllTraffic": (0, 2)}
    (revision,) = provider.read("half").deployment.revisions
    assert revision.settings["autoscaling"] == wanted


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"autoscaling": {"min": 1}}, "autoscaling", "missing required field `max`"),
        ({"autoscaling": WANTED | {"mx": 1}}, "autoscaling.mx", "has no field `mx`"),
        ({"autoscaling": '{"max": 2'}, "autoscaling", "Input data was truncated"),
        ({"autoscaling": {"max": 2}}, "autoscaling", "needs one of"),
        ({"autoscaling": WANTED | {"min": 0}}, "autoscaling.min", "only an asynchronous endpoint"),
        (
            {"autoscaling": WANTED | {"backlog_per_instance": 1}},
            "autoscaling",
            "needs one of",
        ),
        ({"autoscaling": WANTED | {"min": 2}}, "autoscaling", "keeps 2 to 3"),
        (
            {"autoscaling": WANTED, "serverless_memory_mb": 2048},
            "autoscaling",
            "a serverless endpoint has no instances",
        ),
    ],
)
def test_contradictory_fields_are_refused_by_name(target, fields, field, sentence):
    with pytest.raises(ProjectError, match=sentence) as caught:
        target(**fields)
    assert caught.value.where.endswith(f".{field}")
