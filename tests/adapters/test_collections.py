"""Collections over the offline clouds: what leaves each platform and its bucket, and what stays."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import boto3
import pytest
from cloudserve.adapters.aws.sagemaker.api.calls import SageMaker
from cloudserve.adapters.aws.sagemaker.planning.other_uses import check_unused
from cloudserve.adapters.aws.session import KEYS
from cloudserve.adapters.aws.session import Access as AwsAccess
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi

from cloudserve.errors import ConflictError
from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases

PLACES = itertools.count(1)
ROLE = "arn:aws:iam::000000000000:role/serving"
IMAGE = "us-docker.pkg.dev/rehearsal/serving/tensorflow-serving:2.19"


def sagemaker(place, **more):
    image = f"000000000000.dkr.ecr.us-gc-{place}.amazonaws.com/tensorflow-inference:2.20-cpu"
    fields = {"region": f"us-gc-{place}", "role_arn": ROLE, "image": image, "timeout_seconds": 60}
    return "sagemaker", "s3", fields | more


SLOW = pytest.mark.slow
TARGETS = {
    "sagemaker": sagemaker,
    "serverless": lambda place: sagemaker(place, serverless_memory_mb=2048),
    "multi-model": lambda place: sagemaker(place, multi_model="all"),
    "vertex": lambda place: (
        "vertex",
        "gs",
        {"project": f"gc-{place}", "region": "us-central1", "image": IMAGE},
    ),
    "ai-platform": lambda place: ("ai-platform", "gs", {"project": f"gc-{place}"}),
}


@pytest.fixture(scope="module")
def versions(tmp_path_factory, half_plus_two) -> Path:
    """Give four versions of different digests."""
    base = tmp_path_factory.mktemp("collections") / "half"
    for number in range(1, 5):
        shutil.copytree(half_plus_two, base / str(number))
        (base / str(number) / "assets.extra").mkdir()
        (base / str(number) / "assets.extra" / "note").write_text("x" * number)
    return base


@pytest.fixture
def make(clouds, versions):
    """Give the verbs of a target of a kind, on which versions were promoted in turn."""

    def releases(kind, *numbers, **more):
        place = next(PLACES)
        provider, scheme, fields = TARGETS[kind](place)
        fields = {"bucket": f"{scheme}://collections-{place}", **fields, **more}
        target = Target("here", provider, fields)
        models = {"half": Model("half", versions)}
        project = Project(Path("cloudserve.yaml"), models, {"here": target})
        made = Releases(project, "half", "here", environ=dict(clouds))
        for number in numbers:
            made.deploy(number)
            made.promote(str(number))
        return made, fields

    return releases


def numbers(names):
    return sorted(int(name.partition("-")[0].removeprefix("v")) for name in names)


def in_bucket(releases):
    """Return the numbers of the versions of which anything is in the bucket."""
    blobs = releases.provider.blobs
    names = (blob.key.partition("revisions/")[2] for blob in blobs.list("cloudserve/half/"))
    return sorted({int(name[1]) for name in names if name})


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=SLOW if kind == "serverless" else ()) for kind in TARGETS]
)
def test_old_revisions_leave_the_platform_and_the_bucket(make, kind):
    releases, _ = make(kind, 1, 2, 3)
    assert numbers(releases.plan_gc(1).removes) == [1]
    outcome = releases.gc(1)
    assert numbers(d.revision.id for d in outcome.deployment.revisions) == [2, 3]
    assert in_bucket(releases) == [2, 3]
    assert releases.status().live.startswith("v3-")
    assert not releases.gc(1).changed
    assert releases.rollback().deployment.live.startswith("v2-")
    releases.undeploy(everything=True)
    assert numbers(releases.gc(1).plan.removes) == []
    assert releases.rollback().deployment.live.startswith("v2-")
    releases.undeploy(everything=True)


@pytest.fixture
def aws(clouds):
    def client(region):
        return boto3.client(
            "sagemaker",
            region_name=region,
            endpoint_url=clouds["AWS_ENDPOINT_URL"],
            aws_access_key_id=clouds["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=clouds["AWS_SECRET_ACCESS_KEY"],
        )

    return client


def test_configurations_of_other_endpoints_and_names_stay_and_our_unused_ones_are_deleted(
    make, aws
):
    releases, fields = make("sagemaker", 1, 2, 3)
    client = aws(fields["region"])
    used = client.describe_endpoint(EndpointName="half")["EndpointConfigName"]
    (first,) = (name for name, versions in configs(client).items() if versions == [1])
    variants = client.describe_endpoint_config(EndpointConfigName=first)["ProductionVariants"]
    # Somebody serves the first configuration, and has another one with a name like ours.
    client.create_endpoint(EndpointName="clone", EndpointConfigName=first)
    client.create_endpoint_config(
        EndpointConfigName="half-0123456789ab", ProductionVariants=variants
    )
    plan = releases.plan_gc(1)
    assert {r.kept for r in plan.collection.revisions if r.revision.startswith("v1-")} == {
        "the endpoint clone serves it"
    }
    assert [a.kind for a in plan.actions] == ["delete-endpoint-config"] * len(plan.actions)
    releases.gc(1)
    assert set(configs(client)) == {used, first, "half-0123456789ab"}
    assert client.describe_endpoint(EndpointName="clone")["EndpointStatus"] == "InService"
    client.delete_endpoint(EndpointName="clone")
    assert numbers(releases.gc(1).plan.removes) == [1]
    assert set(configs(client)) == {used, "half-0123456789ab"}


def test_models_that_another_endpoint_uses_are_not_deleted(make, aws):
    releases, fields = make("sagemaker", 1, 2)
    client = aws(fields["region"])
    (first,) = (name for name, versions in configs(client).items() if versions == [1])
    client.create_endpoint(EndpointName="clone", EndpointConfigName=first)
    before = configs(client)
    for arguments in ({"version": "v1"}, {"everything": True}):
        with pytest.raises(
            ConflictError, match=r"the endpoint clone, .*, uses .*half-v1-"
        ) as error:
            releases.undeploy(**arguments)
        assert "delete that endpoint first" in error.value.hint
    assert configs(client) == before
    assert numbers(r.revision.id for r in releases.status().revisions) == [1, 2]
    client.delete_endpoint(EndpointName="clone")
    assert numbers(releases.undeploy(everything=True).plan.removes) == [1, 2]


def test_an_endpoint_that_may_not_be_read_hides_no_other(make, aws, clouds):
    releases, fields = make("sagemaker", 1)
    client = aws(fields["region"])
    (config,) = configs(client)
    for name in ("seen", "unseen"):
        client.create_endpoint(EndpointName=name, EndpointConfigName=config)
    api = limited(clouds, fields["region"], "unseen")
    plan = releases.plan_undeploy(everything=True)
    with pytest.raises(ConflictError, match="the endpoint seen, which no release made"):
        check_unused(api, plan.actions)
    client.delete_endpoint(EndpointName="seen")
    (warning,) = check_unused(api, plan.actions)
    assert warning.startswith("it is not known whether other endpoints use what is deleted: read")
    client.delete_endpoint(EndpointName="unseen")


def limited(clouds, region, endpoint):
    """Return the API of a role that may not read an endpoint."""
    keys = {KEYS[name]: clouds[name] for name in KEYS if name in clouds}
    services = [
        boto3.client(name, region_name=region, endpoint_url=clouds["AWS_ENDPOINT_URL"], **keys)
        for name in ("iam", "sts")
    ]
    iam, sts = services
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="limited", AssumeRolePolicyDocument=document(trust))["Role"]
    rules = (
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": f"arn:aws:sagemaker:*:*:endpoint/{endpoint}"},
    )
    iam.put_role_policy(RoleName="limited", PolicyName="p", PolicyDocument=document(*rules))
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="ci")["Credentials"]
    own = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    return SageMaker(AwsAccess({**clouds, **own}, region))


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def configs(client):
    """Return the versions that each endpoint configuration serves."""
    names = [c["EndpointConfigName"] for c in client.list_endpoint_configs()["EndpointConfigs"]]
    records = {n: client.describe_endpoint_config(EndpointConfigName=n) for n in names}
    return {
        name: numbers(variant["VariantName"] for variant in record["ProductionVariants"])
        for name, record in records.items()
    }


def test_a_tagged_sagemaker_model_stays(make, aws):
    releases, fields = make("sagemaker", 1, 2, 3)
    client = aws(fields["region"])
    one = next(m for m in client.list_models()["Models"] if "-v1-" in m["ModelName"])
    tags = [{"Key": "cloudserve-keep", "Value": "audit"}]
    client.add_tags(ResourceArn=one["ModelArn"], Tags=tags)
    plan = releases.plan_gc(1)
    assert plan.removes == ()
    reason = next(r.kept for r in plan.collection.revisions if r.revision.startswith("v1-"))
    assert reason == "its SageMaker Model has the tag cloudserve-keep"


def test_the_files_of_a_registered_package_stay(make):
    releases, _ = make("sagemaker", package_group="halves")
    for number in (1, 2, 3):
        releases.deploy(number)
    plan = releases.plan_gc(1)
    assert numbers(plan.removes) == [2]  # 1 is live
    releases.gc(1)
    assert numbers(d.revision.id for d in releases.status().revisions) == [1, 3]
    assert in_bucket(releases) == [1, 2, 3]


def test_a_version_with_an_alias_or_on_another_endpoint_stays_on_vertex(make, clouds):
    releases, fields = make("vertex", 1, 2, 3, 4)
    url = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    api = VertexApi(fields["project"], "us-central1", url, Access(clouds))
    api.merge_aliases("half", "1", ["prod"])
    plan = releases.plan_gc(1)
    assert numbers(plan.removes) == [2]
    reason = next(r.kept for r in plan.collection.revisions if r.revision.startswith("v1-"))
    assert reason == "its version has the alias prod"
    api.create_endpoint("mine", {"displayName": "mine"})
    machines = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    body = {"model": api.model_name("half", "2"), "dedicatedResources": machines}
    operation = api.deploy("mine", {"deployedModel": body, "trafficSplit": {"0": 100}})
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    plan = releases.plan_gc(1)
    assert plan.actions == ()
    reason = next(r.kept for r in plan.collection.revisions if r.revision.startswith("v2-"))
    assert reason == "it is deployed on the endpoint mine"


def test_a_version_that_a_newer_one_replaced_goes_on_vertex(make, clouds):
    releases, fields = make("vertex", 1, 2)
    url = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    api = VertexApi(fields["project"], "us-central1", url, Access(clouds))
    record = api.versions("half")[0]
    body = {k: record[k] for k in ("displayName", "artifactUri", "containerSpec", "labels")}
    body |= {"versionDescription": record["versionDescription"]}
    operation = api.upload({"parentModel": api.model_name("half"), "model": body})
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    (action,) = releases.plan_gc(2).actions
    assert action.sentence.startswith("delete the version 3 of the model half, which a newer one")
    releases.gc(2)
    assert sorted(version["versionId"] for version in api.versions("half")) == ["1", "2"]
