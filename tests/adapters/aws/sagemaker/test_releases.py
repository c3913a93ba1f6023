"""Releases to the offline SageMaker as they go: updates, machines, settings, code, tags."""

from __future__ import annotations

import hashlib
import json

import pytest

from cloudserve.errors import CheckFailedError, ConflictError, RemoteError, UserError
from cloudserve.release.types import Artifact
from cloudserve.storage.events import Reporter
from cloudserve.testing.provider_steps import live, locate, perform, plan, promote, put
from tests.adapters.aws.conftest import deploy

BODY = b'{"instances": [1.0]}'


@pytest.fixture
def alarm(client):
    """Give what sets the state of the alarm `errors`."""
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        MetricName="Invocation5XXErrors",
        Namespace="AWS/SageMaker",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )

    def state(value):
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue=value, StateReason="a rehearsal")

    state("OK")
    return state


def moves(provider, revision, model="half"):
    return provider.plan_traffic(provider.read(model), revision.id)


def test_tags_carry_model_number_and_digest_and_the_names_are_the_contents(
    target, client, bucket, half_plus_two
):
    one = deploy(target(), 1, half_plus_two)
    sagemaker = client("sagemaker")
    result = sagemaker.describe_model(ModelName=f"half-{one.id}")
    tags = sagemaker.list_tags(ResourceArn=result["ModelArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "cloudserve-model": "half",
        "cloudserve-project": bucket,
        "cloudserve-target": "aws",
        "cloudserve-bucket": bucket,
        "cloudserve-number": "1",
        "cloudserve-digest": hashlib.sha256(b"1 ").hexdigest(),
    }
    first = sagemaker.describe_endpoint(EndpointName="half")["EndpointConfigName"]
    changed = target(instance_type="ml.m5.xlarge")
    for provider in (changed, target()):
        perform(provider, plan(provider, "half", one))
    # There and back again is the same content, so it is the same name.
    assert sagemaker.describe_endpoint(EndpointName="half")["EndpointConfigName"] == first


def test_another_instance_type_of_the_same_digest_is_planned_and_performed(
    target, client, half_plus_two, half_plus_three
):
    one = deploy(target(), 1, half_plus_two)
    two = deploy(target(), 2, half_plus_three)
    promote(target(), "half", two, 30)
    changed = target(instance_type="ml.c5.large", instance_count=2)
    config, update = plan(changed, "half", two)
    assert update.sentence.endswith(f"2 x ml.c5.large for {two.id}, which is on 1 x ml.m5.large")
    perform(changed, (config, update))
    assert plan(changed, "half", two) == ()
    assert live(changed.read("half").deployment) == {one.id: 0.7, two.id: 0.3}
    name = client("sagemaker").describe_endpoint(EndpointName="half")
    counts = {v["VariantName"]: v["CurrentInstanceCount"] for v in name["ProductionVariants"]}
    assert counts == {one.id: 1, two.id: 2}


@pytest.mark.parametrize("done", [1, 2, 3])
def test_another_container_replaces_the_model_wherever_a_run_is_interrupted(
    target, client, half_plus_two, done
):
    one = deploy(target(), 1, half_plus_two)
    changed = target(env={"SAGEMAKER_TFS_NGINX_LOGLEVEL": "info"})
    steps = plan(changed, "half", one)
    assert [step.kind for step in steps] == [
        "delete-model",
        "create-model",
        "create-endpoint-config",
        "update-endpoint",
    ]
    assert "has another environment" in steps[0].sentence
    perform(changed, steps[:done])
    perform(changed, plan(changed, "half", one))
    assert plan(changed, "half", one) == ()
    sagemaker = client("sagemaker")
    model = sagemaker.describe_model(ModelName=f"half-{one.id}")
    assert model["PrimaryContainer"]["Environment"] == {"SAGEMAKER_TFS_NGINX_LOGLEVEL": "info"}
    assert (
        sagemaker.describe_endpoint(EndpointName="half")["EndpointConfigName"]
        == (steps[2].args["config"])
    )


def test_capture_is_switched_on_and_off_without_another_revision(target, client, half_plus_two):
    one = deploy(target(), 1, half_plus_two)
    capturing = target(capture_percent=50)
    perform(capturing, plan(capturing, "half", one))
    sagemaker = client("sagemaker")
    shown = sagemaker.describe_endpoint(EndpointName="half")["DataCaptureConfig"]
    assert (shown["CaptureStatus"], shown["CurrentSamplingPercentage"]) == ("Started", 50)
    assert plan(capturing, "half", one) == ()
    perform(target(), plan(target(), "half", one))
    assert "DataCaptureConfig" not in sagemaker.describe_endpoint(EndpointName="half")


@pytest.mark.parametrize("update", ["linear", "rolling"])
def test_a_promotion_goes_by_the_targets_policy_and_back_at_once(
    target, client, half_plus_two, half_plus_three, update, alarm
):
    provider = target(
        update=update, update_percent=50, update_wait_seconds=0, alarms="errors", instance_count=2
    )
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    assert live(provider.read("half").deployment) == {one.id: 1.0}
    assert json.loads(provider.predict("half", BODY, two.id)) == {"predictions": [3.5]}
    steps = moves(provider, two)
    assert [step.kind for step in steps] == [
        "create-endpoint-config",
        "update-endpoint",
        "delete-endpoint",
    ]
    assert "rolled back when errors fires" in steps[1].sentence
    perform(provider, steps)
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [3.5]}
    sagemaker = client("sagemaker")
    assert [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]] == ["half"]
    used = sagemaker.describe_endpoint(EndpointName="half")["LastDeploymentConfig"]
    assert used["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}
    alarm("ALARM")  # a rollback is not blocked by the firing alarm
    perform(provider, moves(provider, one))
    assert live(provider.read("half").deployment) == {one.id: 1.0}
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}


def test_an_alarm_undoes_the_update_and_the_revision_before_serves(
    target, half_plus_two, half_plus_three, alarm
):
    provider = target(update="canary", update_percent=50, update_wait_seconds=600, alarms="errors")
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    config, update, *_ = moves(provider, two)
    provider.perform(config, Reporter(print))
    lines = []

    def tell(line):
        lines.append(line)
        if line == "endpoint half: Updating":
            alarm("ALARM")

    with pytest.raises(RemoteError) as error:
        provider.perform(update, Reporter(tell))
    assert "SageMaker undid the change" in error.value.message
    assert "ALARM state: errors" in error.value.message
    assert "look at the alarm's metric" in error.value.hint
    assert "  INFO:__main__:starting services" in lines
    assert live(provider.read("half").deployment) == {one.id: 1.0}
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}
    assert json.loads(provider.predict("half", BODY, two.id)) == {"predictions": [3.5]}


def test_an_alarm_that_is_on_before_the_update_is_warned_of(target, alarm):
    provider = target(update="canary", alarms="errors")
    artifact = Artifact("2.20.0", size=1, files=1)
    assert provider.check(artifact) == ()
    alarm("ALARM")
    (warning,) = provider.check(artifact)
    assert warning.startswith("the CloudWatch alarm errors is in ALARM: ")


def test_a_promotion_that_was_interrupted_continues_from_any_step(
    target, half_plus_two, half_plus_three
):
    provider = target(update="all-at-once")
    for done in range(4):
        model = f"cut-{done}"
        deploy(provider, 1, half_plus_two, model)
        two = deploy(provider, 2, half_plus_three, model)
        steps = moves(provider, two, model)
        perform(provider, steps[:done])
        perform(provider, moves(provider, two, model))
        assert moves(provider, two, model) == ()
        assert live(provider.read(model).deployment) == {two.id: 1.0}


def test_a_part_of_the_traffic_is_refused_with_what_does_it_instead(
    target, half_plus_two, half_plus_three
):
    provider = target(update="canary")
    deploy(provider, 1, half_plus_two)
    two = deploy(provider, 2, half_plus_three)
    with pytest.raises(UserError) as error:
        promote(provider, "half", two, 10)
    assert "`update: canary`" in error.value.hint


def test_an_endpoint_with_variants_is_moved_to_a_guarded_one_by_the_next_promotion(
    target, half_plus_two, half_plus_three
):
    one = deploy(target(), 1, half_plus_two)
    guarded = target(update="canary", update_wait_seconds=0)
    assert plan(guarded, "half", one) == ()
    two = deploy(guarded, 2, half_plus_three)
    assert live(guarded.read("half").deployment) == {one.id: 1.0}
    _, update, _ = steps = moves(guarded, two)
    assert "policy" not in update.args  # the variants' names change, which no policy allows
    perform(guarded, steps)
    assert live(guarded.read("half").deployment) == {two.id: 1.0}
    with pytest.raises(ConflictError, match="one revision at a time"):
        plan(target(), "half", two)


def test_a_version_that_waits_gets_copies_of_the_live_ones_requests(
    target, client, half_plus_two, half_plus_three
):
    provider = target(shadow_percent=25, update="canary", update_wait_seconds=0)
    one = deploy(provider, 1, half_plus_two)
    two = put(provider, "half", 2, half_plus_three)
    *_, update = steps = plan(provider, "half", two)
    assert update.sentence.endswith(
        f"copies of 25 % of the requests to {two.id} on 1 x ml.m5.large"
    )
    perform(provider, steps)
    assert plan(provider, "half", two) == plan(provider, "half", one) == ()
    sagemaker = client("sagemaker")
    (shadow,) = sagemaker.describe_endpoint(EndpointName="half")["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentWeight"]) == (two.id, 0.25)
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}
    with pytest.raises(UserError, match="its answers are not returned"):
        provider.predict("half", BODY, two.id)
    perform(provider, moves(provider, two))
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [3.5]}
    result = sagemaker.describe_endpoint(EndpointName="half")
    assert "ShadowProductionVariants" not in result
    assert "CANARY" in str(result["LastDeploymentConfig"])


def test_an_asynchronous_endpoint_answers_by_way_of_the_bucket(
    target, bucket, half_plus_two, half_plus_three
):
    provider = target(
        async_output=f"s3://{bucket}/answers", async_failures=f"s3://{bucket}/failures"
    )
    one = deploy(provider, 1, half_plus_two)
    two = deploy(provider, 2, half_plus_three)
    assert json.loads(provider.predict("half", BODY)) == {"predictions": [2.5]}
    assert json.loads(provider.predict("half", BODY, two.id)) == {"predictions": [3.5]}
    large = json.dumps({"instances": [1.0] * 50_000}).encode()
    assert json.loads(provider.predict("half", large, one.id))["predictions"] == [2.5] * 50_000
    assert not list(provider.blobs.list("cloudserve/half/requests/"))
    with pytest.raises(RemoteError, match="predict: ") as error:
        provider.predict("half", b'{"instances": ["text"]}')
    assert "failures" in error.value.where


@pytest.mark.parametrize(
    "fields", [{"update": "all-at-once"}, {"shadow_percent": 25}], ids=["guarded", "shadowed"]
)
def test_an_asynchronous_endpoint_is_not_planned_to_become_a_real_time_one(
    fields, target, bucket, half_plus_two, half_plus_three
):
    deploy(target(async_output=f"s3://{bucket}/answers"), 1, half_plus_two)
    provider = target(**fields)
    two = put(provider, "half", 2, half_plus_three)

    def release():
        perform(provider, plan(provider, "half", two))
        moves(provider, two)

    with pytest.raises(ConflictError, match="the endpoint half answers asynchronously") as error:
        release()
    assert "async_output" in error.value.hint


def test_a_version_is_approved_by_its_package_and_a_rejected_one_gets_no_traffic(
    target, client, half_plus_two, half_plus_three
):
    provider = target(package_group="halves")
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    assert plan(provider, "half", two) == ()
    approval = provider.approval("half", two)
    assert (provider.registry, approval.is_given) == ("the model package group halves", False)
    group = "the model package group halves"
    assert (
        approval.sentence == f"{two.id} waits for its approval in {group} (PendingManualApproval)"
    )
    package = approval.where
    region = package.split(":")[3]
    assert approval.hint.endswith(
        f" --region {region} --model-package-arn {package} --model-approval-status Approved"
    )
    registry = client("sagemaker")
    result = registry.describe_model_package(ModelPackageName=package)
    assert result["CustomerMetadataProperties"]["cloudserve-digest"] == two.digest
    (container,) = result["InferenceSpecification"]["Containers"]
    source = container["ModelDataSource"]["S3DataSource"]["S3Uri"]
    assert source == locate(provider, "half", two).root_url

    registry.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    approval = provider.approval("half", two)
    assert (approval.is_given, approval.sentence) == (True, f"{two.id} is approved in {group}")
    promote(provider, "half", two)
    assert live(provider.read("half").deployment) == {two.id: 1.0}
    promote(provider, "half", one)
    registry.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Rejected", ApprovalDescription="it drifts"
    )
    with pytest.raises(CheckFailedError, match=f"^{two.id} was rejected: it drifts$"):
        moves(provider, two)


def test_a_registration_is_made_once_and_taken_up_where_it_is_missing(
    target, client, half_plus_two, half_plus_three
):
    deploy(target(), 1, half_plus_two)
    two = deploy(target(), 2, half_plus_three)
    provider = target(package_group="halves")
    approval = provider.approval("half", two)
    assert approval.sentence == f"{two.id} is not registered in the model package group halves"
    (register,) = plan(provider, "half", two)
    assert perform(provider, (register, register))[-1].endswith("already exists")
    packages = client("sagemaker").list_model_packages(ModelPackageGroupName="halves")
    assert len(packages["ModelPackageSummaryList"]) == 1


def test_checks_read_the_buckets_region_and_the_alarms(target, client, bucket, region, alarm):
    provider = target(update="canary", alarms="errors")
    model = Artifact("2.20.0", 1000, 3)
    assert provider.check(model) == ()
    provider.blobs.ensure(Reporter(print))
    assert provider.check(model) == ()
    image = "000000000000.dkr.ecr.eu-south-2.amazonaws.com/tensorflow-inference:2.20-cpu"
    elsewhere = target(region="eu-south-2", image=image)
    with pytest.raises(UserError, match=f"is in {region} and the endpoint in eu-south-2"):
        elsewhere.check(model)
    with pytest.raises(UserError, match="no CloudWatch alarm slow"):
        target(update="canary", alarms="errors, slow").check(model)
    with pytest.raises(UserError, match="is not an instance type"):
        target(instance_type="ml.m5.huge").check(model)
