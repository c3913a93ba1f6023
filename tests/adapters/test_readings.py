"""How often a release reads its platform, at the SDKs: once before the lock, once under it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from botocore.client import BaseClient
from googleapiclient.http import HttpRequest

from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases
from cloudserve.testing.provider_steps import locate, put

PLACES = itertools.count(1)
ROLE = "arn:aws:iam::000000000000:role/serving"


def sagemaker(place, **more):
    image = f"000000000000.dkr.ecr.us-read-{place}.amazonaws.com/tensorflow-inference:2.20-cpu"
    fields = {"region": f"us-read-{place}", "role_arn": ROLE, "image": image, "timeout_seconds": 60}
    return "sagemaker", "s3", fields | more


TARGETS = {
    "sagemaker": sagemaker,
    "serverless": lambda place: sagemaker(place, serverless_memory_mb=2048),
    "multi-model": lambda place: sagemaker(place, multi_model="all"),
    "vertex": lambda place: ("vertex", "gs", {"project": f"read-{place}"}),
    "ai-platform": lambda place: ("ai-platform", "gs", {"project": f"read-{place}"}),
}


@pytest.fixture
def requests(monkeypatch):
    """Give the requests to the platforms' control planes, as they are sent."""
    sent = []
    call, execute = BaseClient._make_api_call, HttpRequest.execute

    def make_api_call(client, operation, fields):
        if client.meta.service_model.service_name == "sagemaker":
            sent.append(f"{operation} {sorted(fields.items())}")
        return call(client, operation, fields)

    def execute_and_note(request, *arguments, **options):
        sent.append(f"{request.method} {request.uri}")
        return execute(request, *arguments, **options)

    monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)
    monkeypatch.setattr(HttpRequest, "execute", execute_and_note)
    return sent


@pytest.fixture(scope="module", params=TARGETS)
def releases(request, clouds, shared_models):
    """Give the verbs for a target of each kind, on which two versions are deployed."""
    place = next(PLACES)
    provider, scheme, fields = TARGETS[request.param](place)
    target = Target("here", provider, {"bucket": f"{scheme}://readings-{place}", **fields})
    models = {"half": Model("half", shared_models / "tfs_half_plus_two_2v")}
    project = Project(Path("cloudserve.yaml"), models, {"here": target})
    result = Releases(project, "half", "here", environ=dict(clouds))
    result.deploy(123)
    result.deploy(124)
    return result


def test_plans_do_not_read_again_what_their_reading_covers(releases, requests, half_plus_two):
    provider = releases.provider
    three = put(provider, "half", 3, half_plus_two)
    requests.clear()
    reading = provider.read("half")
    reads = set(requests)
    assert reads
    live, idle = sorted(reading.deployment.revisions, key=lambda d: d.revision.number)
    for plan in (
        lambda: provider.plan_deploy(reading, live.revision, locate(provider, "half", three)),
        lambda: provider.plan_deploy(reading, three, locate(provider, "half", three)),
        lambda: provider.plan_traffic(reading, idle.revision.id),
        lambda: provider.plan_undeploy(reading, (idle.revision.id,)),
        lambda: provider.plan_undeploy(reading, None),
    ):
        requests.clear()
        plan()
        assert reads & set(requests) == set()


def test_a_verb_reads_for_two_plans_and_its_outcome(releases, requests, monkeypatch):
    kind, counts = type(releases.provider), []
    read = kind.read
    monkeypatch.setattr(kind, "read", lambda *args: counts.append(1) or read(*args))

    def readings(verb, *arguments):
        counts.clear()
        assert verb(*arguments).changed
        return len(counts)

    assert readings(releases.promote, "124") == 3
    assert readings(releases.rollback) == 3
    assert readings(releases.undeploy, "124") == 3
    assert readings(releases.deploy, 124) == 3
    counts.clear()
    assert not releases.deploy(124).changed
    assert len(counts) == 1
