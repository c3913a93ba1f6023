"""What an undeployment removes on the offline SageMaker, and what it leaves alone."""

from __future__ import annotations

import pytest

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.testing.provider_steps import live, perform, plan, promote, put, removal
from tests.adapters.aws.conftest import deploy

BODY = b'{"instances": [1.0]}'


def remaining(client):
    """Return the names of everything in the account's region."""
    sagemaker = client("sagemaker")
    return (
        {e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]},
        {c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]},
        {m["ModelName"] for m in sagemaker.list_models()["Models"]},
    )


def kinds(actions):
    return [action.kind for action in actions]


def test_a_variant_is_removed_before_its_config_and_its_model(
    target, client, half_plus_two, half_plus_three
):
    provider = target()
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    _, before, _ = remaining(client)
    actions = removal(provider, "half", two)
    config = actions[0].args["config"]
    assert [action.sentence for action in actions] == [
        f"create the endpoint configuration {config}: without {two.id}",
        f"update the endpoint half with {config}, which takes {two.id} off it",
        *(f"delete the endpoint configuration {name}" for name in sorted(before - {config})),
        f"delete the model half-{two.id}",
    ]
    perform(provider, actions)
    assert remaining(client) == ({"half"}, {config}, {f"half-{one.id}"})
    assert live(provider.read("half").deployment) == {one.id: 1.0}


def test_of_a_split_the_shares_stay(target, half_plus_two):
    provider = target()
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_two)
    promote(provider, "half", two, 30)
    three = deploy(provider, 3, half_plus_two)
    perform(provider, removal(provider, "half", three))
    assert live(provider.read("half").deployment) == {one.id: 0.7, two.id: 0.3}


def test_resources_with_other_tags_are_not_deleted(target, client, half_plus_two):
    provider, sagemaker = target(), client("sagemaker")
    one = deploy(provider, 1, half_plus_two)
    endpoint = sagemaker.describe_endpoint(EndpointName="half")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    theirs = "half-0123456789ab"
    sagemaker.create_endpoint_config(
        EndpointConfigName=theirs, ProductionVariants=config["ProductionVariants"]
    )
    model = sagemaker.describe_model(ModelName=f"half-{one.id}")
    name = "half-v9-0123456789ab"
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=model["PrimaryContainer"],
        ExecutionRoleArn=model["ExecutionRoleArn"],
    )
    perform(provider, removal(provider, "half"))
    assert remaining(client) == (set(), {theirs}, {name})


def test_a_variant_that_no_release_put_on_the_endpoint_is_named(target, client, half_plus_two):
    provider, sagemaker = target(), client("sagemaker")
    deploy(provider, 1, half_plus_two)
    endpoint = sagemaker.describe_endpoint(EndpointName="half")
    old = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    (variant,) = old["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    sagemaker.create_model(
        ModelName="theirs",
        PrimaryContainer=model["PrimaryContainer"],
        ExecutionRoleArn=model["ExecutionRoleArn"],
    )
    by_hand = variant | {"VariantName": "by-hand", "ModelName": "theirs"}
    sagemaker.create_endpoint_config(
        EndpointConfigName="by-hand", ProductionVariants=[variant, by_hand]
    )
    sagemaker.update_endpoint(EndpointName="half", EndpointConfigName="by-hand")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="half", WaiterConfig={"Delay": 0.05}
    )
    first, *_ = removal(provider, "half")
    assert first.sentence == ("delete the endpoint half, with by-hand, which no release put on it")


def test_an_endpoint_that_failed_goes_with_the_revision_that_it_failed_for(
    target, client, tmp_path
):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\x08\x01 not a model")
    provider = target()
    revision = put(provider, "half", 1, broken)
    with pytest.raises(RemoteError):
        perform(provider, plan(provider, "half", revision))
    actions = removal(provider, "half", revision)
    assert kinds(actions) == ["delete-endpoint", "delete-endpoint-config", "delete-model"]
    perform(provider, actions)
    assert remaining(client) == (set(), set(), set())


def test_an_endpoint_that_lost_its_tags_is_not_taken_down(target, client, half_plus_two):
    provider, sagemaker = target(), client("sagemaker")
    deploy(provider, 1, half_plus_two)
    actions = removal(provider, "half")
    arn = sagemaker.describe_endpoint(EndpointName="half")["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["cloudserve-model"])
    with pytest.raises(ConflictError):
        perform(provider, actions)
    with pytest.raises(ConflictError):
        removal(provider, "half")
    with pytest.raises(ConflictError):
        provider.predict("half", BODY)
    answer = client("sagemaker-runtime").invoke_endpoint(
        EndpointName="half", Body=BODY, ContentType="application/json"
    )
    assert answer["Body"].read()


def test_an_update_that_was_interrupted_is_waited_for(target, half_plus_two, monkeypatch):
    provider = target()
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_two)
    config, update, *_ = removal(provider, "half", two)
    perform(provider, (config,))
    api = provider._aws.api
    monkeypatch.setattr(provider._performer, "_await", lambda *_, **__: None)
    perform(provider, (update,))
    monkeypatch.undo()
    actions = removal(provider, "half", two)
    if api.endpoint("half").status == "Updating":  # it was, too, when the removal was planned
        assert actions[0].kind == "await-endpoint"
    perform(provider, actions)
    assert [d.revision for d in provider.read("half").deployment.revisions] == [one]


def test_the_endpoint_of_many_models_goes_with_the_last(target, client, half_plus_two):
    provider = target(multi_model="all")
    deploy(provider, 1, half_plus_two, "first")
    second = deploy(provider, 1, half_plus_two, "second")
    perform(provider, removal(provider, "first"))
    assert remaining(client)[0] == {"all"}
    assert provider.predict("second", BODY)
    with pytest.raises(RemoteError, match="nothing of first is live"):
        provider.predict("first", BODY)
    keys = {blob.key for blob in provider.blobs.list("cloudserve-multi/all/models/")}
    assert keys == {f"cloudserve-multi/all/models/second/{second.id}.tar.gz"}

    actions = removal(provider, "second")
    deploy(provider, 2, half_plus_two, "first")  # it comes back after the plan was made
    with pytest.raises(ConflictError, match="the endpoint all has new models: first"):
        perform(provider, actions)
    assert provider.predict("first", BODY)
    perform(provider, removal(provider, "third"))
    assert remaining(client)[0] == {"all"}
    perform(provider, removal(provider, "first"))
    assert remaining(client) == (set(), set(), set())
