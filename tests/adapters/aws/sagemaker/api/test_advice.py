"""SageMaker's errors are reported with what to do: which role, which action, which quota."""

from __future__ import annotations

import pytest
from cloudserve.adapters.aws.error_hints import for_denied, for_reason

ROLE = "arn:aws:iam::123456789012:role/serving"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            (
                "User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: iam:PassRole "
                f"on resource: {ROLE} because no identity-based policy allows it"
            ),
            f"allow arn:aws:sts::1:assumed-role/ci/x the action iam:PassRole on {ROLE}",
        ),
        (
            (
                "User: arn:u is not authorized to perform: sagemaker:CreateModel on resource: "
                "arn:m with an explicit deny in a service control policy"
            ),
            (
                "allow arn:u the action sagemaker:CreateModel on arn:m: a policy denies it "
                "explicitly, which no allowing one outweighs"
            ),
        ),
        ("Forbidden", "allow these credentials the action CreateModel on this resource"),
    ],
)
def test_a_refusal_names_who_is_to_be_allowed_what_on_what(message, hint):
    assert for_denied(message, "CreateModel") == hint


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (f"Could not assume role {ROLE}. Please ensure that the role exists", ["trust", ROLE]),
        (
            (
                f'Could not access model data at s3://b/m/. Please ensure the role "{ROLE}" exists'
                ' and that its trust relationship policy allows the action "sts:AssumeRole"'
            ),
            ["s3:GetObject", ROLE],
        ),
        ("Could not find model data at s3://b/m/.", ["s3:GetObject", "role_arn"]),
        ("The repository image does not exist in the registry", ["ecr:BatchGetImage"]),
        ("Unable to provision due to InsufficientInstanceCapacity error", ["instance_type"]),
        ("ResourceLimitExceeded: The account-level service limit 'ml.g5' is 0", ["Quotas"]),
        ("did not pass the ping health check. Please check CloudWatch logs", ["log"]),
        ('Could not find CloudWatch alarm "errors".', ["create the alarm"]),
        ("One or more configured alarm(s) went into ALARM state: errors", ["metric"]),
    ],
)
def test_a_known_reason_has_advice(message, words):
    advice = for_reason(message)
    assert advice
    assert all(word in advice for word in words)


def test_an_unknown_reason_has_no_advice():
    assert for_reason("Something else went wrong.") is None
