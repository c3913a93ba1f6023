"""The policy of the how-to allows what the adapter calls, and nothing that it does not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import boto3
import pytest
from cloudserve.adapters.aws.s3.errors import PERMISSIONS, WRITES

ROOT = Path(__file__).resolve().parents[5]
PAGE = ROOT / "docs" / "how-to" / "use-a-company-account.md"
SERVICES = {
    "sagemaker": "sagemaker",
    "sagemaker-runtime": "sagemaker",
    "logs": "logs",
    "application-autoscaling": "application-autoscaling",
    "sts": "sts",
    "cloudwatch": "cloudwatch",
    "ecr": "ecr",
}
IMPLIED = {
    "sagemaker:AddTags",
    "iam:PassRole",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:PutMetricAlarm",
    "iam:CreateServiceLinkedRole",
}
"""What tags, a role and scaling policies need (Service Authorization Reference; SageMaker
developer guide, "Auto scaling prerequisites")."""


@pytest.fixture(scope="module")
def policies():
    return [
        json.loads(text) for text in re.findall(r"```json\n(.+?)```", PAGE.read_text(), re.DOTALL)
    ]


@pytest.fixture(scope="module")
def words():
    """Give the names in the adapter's source, paginators' as strings included."""
    sources = (ROOT / "adapters" / "aws").rglob("*.py")
    return set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", "\n".join(p.read_text() for p in sources)))


def actions(policy):
    result = (statement["Action"] for statement in policy["Statement"])
    return {name for names in result for name in ([names] if isinstance(names, str) else names)}


def called(words):
    """Return the operations of AWS that the adapter's source names, as IAM calls them."""
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    for service, prefix in SERVICES.items():
        client = boto3.client(service, region_name="eu-west-1", **keys)
        for method, operation in client.meta.method_to_api_mapping.items():
            if method in words:
                yield f"{prefix}:{operation}"


def test_the_policy_allows_what_is_called_and_no_more(policies, words):
    releasing, _ = policies
    allowed = {name for name in actions(releasing) if not name.startswith("s3:")}
    assert allowed == set(called(words)) | IMPLIED


def test_the_policy_allows_what_the_bucket_needs(policies):
    releasing, _ = policies
    allowed = {name for name in actions(releasing) if name.startswith("s3:")}
    assert allowed == {*PERMISSIONS.values(), WRITES}


def test_the_role_may_read_the_model_and_pull_the_image(policies):
    _, role = policies
    assert {"s3:GetObject", "s3:ListBucket", "ecr:BatchGetImage"} <= actions(role)
