"""The checks of an account: what a release needs, as the documented policy has it."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from cloudserve.adapters.aws.sagemaker.api.identity import _decisions
from cloudserve.adapters.aws.sagemaker.diagnosis import instances_of_a_release, needs_of
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.doctor.result import Status
from cloudserve.project import Target
from cloudserve.storage.events import SILENT

HOW_TO = Path(__file__).parents[4] / "docs" / "how-to" / "use-a-company-account.md"
ROLE = "arn:aws:iam::123456789012:role/my-sagemaker-role"


@pytest.fixture(scope="module")
def policy():
    text = HOW_TO.read_text()
    return json.loads(re.search(r"```json\n(\{\n  \"Version\".*?)```", text, re.DOTALL)[1])


@pytest.fixture
def needs():
    fields = {"bucket": "s3://my-models", "region": "eu-west-1", "role_arn": ROLE}
    provider = create(Target("aws", "sagemaker", fields), {})
    return needs_of(provider._aws, "123456789012", ("mnist", "half"))


def allows(statement, action, resource):
    def listed(value):
        return [value] if isinstance(value, str) else value

    return action in listed(statement["Action"]) and any(
        fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"])
    )


def test_the_documented_policy_allows_each_action_on_each_resource(policy, needs):
    missing = [
        (action, resource)
        for need in needs
        for action in need.actions
        for resource in need.resources
        if not any(allows(statement, action, resource) for statement in policy["Statement"])
    ]
    assert missing == []
    assert sum(len(need.actions) for need in needs) >= 20


def test_the_role_is_passed_to_sagemaker(needs):
    (passed,) = (need for need in needs if need.actions == ("iam:PassRole",))
    assert passed.resources == (ROLE,)
    assert passed.context == {"iam:PassedToService": "sagemaker.amazonaws.com"}


@pytest.mark.parametrize(
    ("result", "decisions"),
    [
        ({"EvalDecision": "explicitDeny"}, ["explicitDeny"]),
        (
            {
                "EvalDecision": "allowed",
                "ResourceSpecificResults": [
                    {"EvalResourceName": "a", "EvalResourceDecision": "allowed"},
                    {"EvalResourceName": "b", "EvalResourceDecision": "implicitDeny"},
                ],
            },
            ["allowed", "implicitDeny"],
        ),
    ],
)
def test_the_decision_on_each_resource_counts(result, decisions):
    assert _decisions(result) == decisions


@pytest.mark.parametrize(
    ("fields", "instances"),
    [
        ({}, 3),
        ({"instance_count": 4}, 12),
        # One revision at a time: both fleets of the promotion, and the new one's own endpoint.
        ({"instance_count": 4, "update": "all-at-once"}, 9),
        ({"instance_count": 4, "shadow_percent": 10}, 9),
    ],
)
def test_a_release_needs_the_new_fleet_beside_the_old_one(fields, instances):
    common = {"bucket": "s3://my-models", "region": "eu-west-1", "role_arn": ROLE}
    options = create(Target("aws", "sagemaker", common | fields), {})._aws.options
    assert instances_of_a_release(options) == instances


def region_result(provider):
    (result,) = (each for each in provider.diagnose(["half"]) if each.id == "bucket's region")
    return result.status, result.text


def test_the_buckets_region_is_compared_with_the_endpoints(target, described, clouds, region):
    provider = target()
    before = (Status.SKIPPED, "there is no bucket yet, or its region cannot be read")
    assert region_result(provider) == before
    provider.blobs.ensure(SILENT)
    assert region_result(provider) == (Status.OK, f"{region}, as that of the endpoint")
    fields = {**described().fields, "region": "ap-south-2"}
    fields["image"] = fields["image"].replace(region, "ap-south-2")
    there = create(Target("aws", "sagemaker", fields), clouds)
    assert region_result(there) == (
        Status.FAILED,
        f"the bucket is in {region} and the endpoint in ap-south-2",
    )
