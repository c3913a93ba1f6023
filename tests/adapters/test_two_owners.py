"""Two targets of two projects in one account: no verb of one touches what another has.

Each platform is compared in full (descriptions, tags, the ledger) before and after each verb.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
import pytest
from cloudserve.adapters.google.ai_platform.api import MlClient
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi

from cloudserve.errors import ConflictError
from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases

OWN_TAGS = ("cloudserve-project", "cloudserve-target", "cloudserve-bucket")
ACCOUNTS = itertools.count(1)


@dataclass
class SageMaker:
    """A region of its own for each test: the emulator is shared."""

    environ: dict
    place: str
    provider = "sagemaker"
    scheme = "s3"

    @property
    def fields(self):
        role = "arn:aws:iam::000000000000:role/serving"
        image = f"000000000000.dkr.ecr.{self.place}.amazonaws.com/tensorflow-inference:2.20-cpu"
        return {"region": self.place, "role_arn": role, "image": image}

    @cached_property
    def client(self):
        keys = {
            "endpoint_url": self.environ["AWS_ENDPOINT_URL"],
            "aws_access_key_id": self.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environ["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client("sagemaker", region_name=self.place, **keys)

    def tags(self, arn):
        result = self.client.list_tags(ResourceArn=arn)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in result}

    def names(self, listed, kind, name):
        result = getattr(self.client, f"list_{listed}")(NameContains=name, MaxResults=100)
        return [item[f"{kind}Name"] for item in result[f"{kind}s"]]

    def named(self, name):
        return name

    def describe(self, name):
        """Return all that there is under an endpoint's name, without when it was asked."""
        client, result = self.client, {}
        for listed, kind in (
            ("endpoints", "Endpoint"),
            ("endpoint_configs", "EndpointConfig"),
            ("models", "Model"),
        ):
            for each in self.names(listed, kind, name):
                describe = getattr(client, f"describe_{listed.removesuffix('s')}")
                record = describe(**{f"{kind}Name": each})
                del record["ResponseMetadata"]
                result[kind, each] = (record, self.tags(record[f"{kind}Arn"]))
        return result

    def forget_owner(self, name):
        for record, _ in self.describe(name).values():
            arn = next(
                value for key, value in record.items() if key.endswith("Arn") and name in value
            )
            self.client.delete_tags(ResourceArn=arn, TagKeys=list(OWN_TAGS))

    def owner(self, name):
        return self.tags(self.client.describe_endpoint(EndpointName=name)["EndpointArn"])


@dataclass
class Vertex:
    environ: dict
    place: str
    provider = "vertex"
    scheme = "gs"

    @property
    def fields(self):
        # A container of one's own: Google's prebuilt TensorFlow images end on 14 January 2027.
        image = "us-docker.pkg.dev/rehearsal/serving/tensorflow-serving:2.19"
        return {"project": self.place, "region": "us-central1", "image": image}

    @cached_property
    def api(self):
        url = self.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
        return VertexApi(self.place, "us-central1", url, Access(self.environ))

    def named(self, name):
        return name

    def describe(self, name):
        return {"endpoint": self.api.endpoint(name), "versions": self.api.versions(name)}

    def forget_owner(self, name):
        existing = self.describe(name)
        labels = _without_owner(existing["endpoint"])
        self.api.patch_endpoint(name, "labels", {"labels": labels})
        for version in existing["versions"]:
            body = {"labels": _without_owner(version)}
            self.api.patch_version(name, version["versionId"], "labels", body)

    def owner(self, name):
        return self.api.endpoint(name)["labels"]


@dataclass
class AiPlatform:
    environ: dict
    place: str
    provider = "ai-platform"
    scheme = "gs"

    @property
    def fields(self):
        return {"project": self.place}

    @cached_property
    def ml(self):
        url = self.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"]
        return MlClient(self.place, url, Access(self.environ))

    def named(self, name):
        return name.replace("-", "_")

    def describe(self, name):
        name = self.named(name)
        result = self.ml.get_model(name)
        return {"model": result, "versions": list(self.ml.list_versions(name)) if result else []}

    def forget_owner(self, name):
        models = self.ml._models
        for record, collection in (
            *((version, models.versions()) for version in self.describe(name)["versions"]),
            (self.describe(name)["model"], models),
        ):
            body = {"labels": _without_owner(record)}
            collection.patch(name=record["name"], updateMask="labels", body=body).execute()

    def owner(self, name):
        return max((v["labels"] for v in self.describe(name)["versions"]), key=len)


def _without_owner(record):
    return {key: value for key, value in record["labels"].items() if key not in OWN_TAGS}


@dataclass
class Actor:
    """A target of a project, as somebody who releases to it."""

    cloud: object
    releases: Releases
    target: str
    name: str
    """Of its endpoint."""

    def snapshot(self):
        ledger = [release.id for release in self.releases.history()]
        return self.cloud.describe(self.name), ledger

    def verbs(self):
        """Return what can be done to two versions that are deployed."""
        return [
            lambda: self.releases.promote("124"),
            lambda: self.releases.rollback("123"),
            lambda: self.releases.apply(self.releases.plan_promote("124")),
        ]


@pytest.fixture(
    params=[SageMaker, Vertex, pytest.param(AiPlatform, marks=pytest.mark.slow)],
    ids=lambda kind: kind.provider,
)
def cloud(request, clouds):
    number = next(ACCOUNTS)
    place = f"us-owners-{number}" if request.param is SageMaker else f"owners-{number}"
    return request.param(dict(clouds), place)


@pytest.fixture
def project(cloud, bucket, shared_models):
    """Give what makes the verbs of a project's target, by what its targets are given."""

    def make(name="", bucket=bucket, **targets):
        def fields(more):
            return {"bucket": f"{cloud.scheme}://{bucket}", **cloud.fields, **more}

        existing = {
            target: Target(target, cloud.provider, fields(more), f"targets.{target}")
            for target, more in targets.items()
        }
        models = {"half": Model("half", shared_models / "tfs_half_plus_two_2v")}
        made = Project(Path("cloudserve.yaml"), models, existing, name)
        return lambda target: Releases(made, "half", target, environ=cloud.environ)

    return make


def refusals(releases):
    """Return what each verb of a target is refused with."""
    verbs = {
        "plan": releases.plan_deploy,
        "deploy": lambda: releases.deploy(123),
        "promote": releases.promote,
        "rollback": lambda: releases.rollback("123"),
        "plan promote": releases.plan_promote,
        "plan rollback": lambda: releases.plan_rollback("123"),
        "status": releases.status,
        "pull": lambda: releases.pull(Path("never-made")),
        "predict": lambda: releases.provider.predict("half", b'{"instances": [1.0]}'),
    }
    for name, verb in verbs.items():
        with pytest.raises(ConflictError) as error:
            verb()
        yield name, error.value


def test_every_verb_of_one_leaves_what_the_others_have(cloud, project, bucket):
    """Cross two projects that share a bucket, a third with its own, two targets in the first."""
    two = {"staging": {}, "prod": {}}
    mine = {"prod": {"endpoint_name": "{model}-lab"}}
    actors = [
        Actor(cloud, project("shop", **two)("staging"), "staging", "half-staging"),
        Actor(cloud, project("shop", **two)("prod"), "prod", "half-prod"),
        Actor(cloud, project("lab", **mine)("prod"), "prod", "half-lab"),
        Actor(
            cloud,
            project(bucket=f"{bucket}-own", prod={"endpoint_name": "own"})("prod"),
            "prod",
            "own",
        ),
    ]

    observed = {actor.name: actor.snapshot() for actor in actors}

    def alone(actor, verb):
        verb()
        now = {each.name: each.snapshot() for each in actors}
        assert now == {**observed, actor.name: now[actor.name]}
        observed.update(now)

    for number, actor in itertools.product((123, 124), actors):
        alone(actor, lambda actor=actor, number=number: actor.releases.deploy(number))
    one, beside, *others = actors
    for turn, mine in enumerate(one.verbs()):
        alone(one, mine)
        for theirs in beside.verbs():
            alone(beside, theirs)
        for other in others:
            alone(other, other.verbs()[turn])
    for actor in actors:
        assert cloud.owner(actor.name)["cloudserve-target"] == actor.target
        assert {release.target for release in actor.releases.history()} == {actor.target}


def test_another_owners_endpoint_is_refused_before_anything_is_changed(cloud, project, bucket):
    owner = project("shop", prod={})("prod")
    owner.deploy(123)
    mine = Actor(cloud, owner, "prod", "half")
    before = mine.snapshot()
    rivals = {
        "another target": project("shop", staging={})("staging"),
        "another project": project("lab", prod={})("prod"),
        "another bucket": project("shop", bucket=f"{bucket}-2", prod={})("prod"),
        "a sibling": project("shop", prod={}, other={"endpoint_name": "half"})("other"),
    }
    for rival in rivals.values():
        for verb, error in refusals(rival):
            assert "belongs to the target prod of the project shop" in error.message, verb
            assert "`endpoint_name`" in error.hint
    assert mine.snapshot() == before


def test_an_endpoint_from_before_owners_belongs_to_its_bucket(cloud, project, bucket):
    target = project(prod={})("prod")
    target.deploy(123)
    cloud.forget_owner("half")
    before = cloud.describe("half")
    for rival in (
        project(bucket=f"{bucket}-2", prod={})("prod"),
        project("shop", prod={})("prod"),
    ):
        for _, error in refusals(rival):
            assert "nothing says that it is this target's" in error.message
            assert bucket in error.message
            assert "cloudserve-target=prod" in error.hint.replace("Key=", "").replace(",Value", "")
    two = project(prod={}, staging={})
    for name in ("prod", "staging"):
        for _, error in refusals(two(name)):
            assert "it may belong to prod or staging" in error.message
            assert "`endpoint_name: half`" in error.hint
    assert cloud.describe("half") == before

    target.deploy(124)
    assert cloud.owner("half")["cloudserve-target"] == "prod"
    assert next(error.message for _, error in refusals(two("prod"))).endswith("belong to prod")
    kept = project(prod={"endpoint_name": "half"}, staging={})
    assert kept("prod").promote("124").changed
    assert kept("staging").deploy(123).changed
    assert kept("prod").rollback().changed


def test_the_target_that_names_the_endpoint_takes_it(cloud, project):
    project(prod={})("prod").deploy(123)
    cloud.forget_owner("half")
    two = project(prod={"endpoint_name": "half"}, staging={})
    assert two("prod").deploy(124).changed
    assert cloud.owner("half")["cloudserve-target"] == "prod"
    assert two("staging").deploy(123).changed
    assert len(two("prod").status().revisions) == 2
    assert len(two("staging").status().revisions) == 1


def test_a_target_that_is_alone_again_does_not_make_a_second_endpoint(cloud, project):
    two = project("shop", prod={}, staging={})
    two("prod").deploy(123)
    two("staging").deploy(123)
    before = cloud.describe("half")
    named = cloud.named("half-prod")
    for verb, error in refusals(project("shop", prod={})("prod")):
        assert f"{named} is this target's, and half would be a second one" in error.message, verb
        assert f"`endpoint_name: {named}`" in error.hint
        assert f"--set endpoint_name={named}" in error.hint
    assert cloud.describe("half") == before
    assert project("shop", prod={"endpoint_name": named})("prod").deploy(124).changed


def test_a_renamed_target_does_not_make_a_second_endpoint(cloud, project):
    project("shop", prod={}, staging={})("prod").deploy(123)
    named = cloud.named("half-prod")
    for verb, error in refusals(project("shop", live={}, staging={})("live")):
        wanted = f"{named} belongs to the target prod of the project shop, bucket "
        assert wanted in error.message, verb
        assert error.message.endswith("which the project file does not have")
        assert "call it prod again" in error.hint
    another = project("shop", live={"endpoint_name": "half-live"}, staging={})("live")
    assert another.deploy(123).changed


def test_a_changed_endpoint_name_does_not_make_a_second_endpoint(cloud, project):
    project("shop", prod={"endpoint_name": "one"})("prod").deploy(123)
    changed = project("shop", prod={"endpoint_name": "two"})("prod")
    for verb, error in refusals(changed):
        assert "one is this target's, and two would be a second one" in error.message, verb
    old = project("shop", prod={"endpoint_name": "one"})("prod")
    assert old.undeploy(everything=True).changed
    assert changed.deploy(123).changed


def test_another_project_without_a_name_in_the_bucket_is_reported(cloud, project):
    project(prod={"endpoint_name": "half-prod"})("prod").deploy(123)
    for _, error in refusals(project(live={})("live")):
        assert "which the project file does not have" in error.message
        assert "name this project, if that is another's: `name: …`" in error.hint
