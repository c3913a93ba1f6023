"""IAM policy documents: what they allow, and what they must look like."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.aws.permissions.policy import (
    EVERYTHING,
    Need,
    Verdict,
    decide,
    document,
    read_policy,
)
from hypothesis import given
from hypothesis import strategies as st

ENDPOINT = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/half"
DENIED = read_policy(document("Deny", ["s3:*"]))
PASS = {"iam:passedtoservice": "sagemaker.amazonaws.com", "aws:requestedregion": "eu-west-1"}


def allowing(**statement) -> tuple:
    return read_policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", **statement}})


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("sagemaker:CreateEndpoint", ENDPOINT, True),
        ("SageMaker:createendpoint", ENDPOINT, True),
        ("sagemaker:Create*", ENDPOINT, True),
        ("sagemaker:CreateEndp?int", ENDPOINT, True),
        ("*", "*", True),
        ("sagemaker:CreateEndpoint", "arn:aws:sagemaker:*:*:endpoint/ha*", True),
        # The account is a real one there, and another one offline.
        ("sagemaker:CreateEndpoint", ENDPOINT.replace("123456789012", "999999999999"), True),
        ("sagemaker:CreateEndpointConfig", ENDPOINT, False),
        ("sagemaker:CreateEndpoint", ENDPOINT.replace("eu-west-1", "us-east-1"), False),
        ("sagemaker:CreateEndpoint", ENDPOINT.replace("half", "Half"), False),
        # Brackets are no wildcards.
        ("sagemaker:CreateEndpoint", ENDPOINT.replace("half", "[h]alf"), False),
    ],
)
def test_an_action_on_a_resource_is_allowed_by_wildcards(action, resource, allowed):
    rules = allowing(Action=action, Resource=resource)
    need = Need("sagemaker:CreateEndpoint", ENDPOINT.replace("123456789012", "000000000000"))
    assert decide(rules, need) is (Verdict.ALLOWED if allowed else Verdict.NOT_ALLOWED)


def test_not_action_and_not_resource_are_about_everything_else():
    rules = allowing(NotAction="s3:Delete*", NotResource="arn:aws:s3:::secret/*")
    verdicts = [
        decide(rules, Need(action, f"arn:aws:s3:::{key}"))
        for action, key in (
            ("s3:GetObject", "models/a"),
            ("s3:DeleteObject", "models/a"),
            ("s3:GetObject", "secret/a"),
        )
    ]
    assert verdicts == [Verdict.ALLOWED, Verdict.NOT_ALLOWED, Verdict.NOT_ALLOWED]


@given(st.permutations([EVERYTHING, *DENIED, *allowing(Action="s3:*", Resource="*")]))
def test_a_denial_outweighs_every_permission_in_any_order(rules):
    assert decide(rules, Need("s3:GetObject", "arn:aws:s3:::b/k")) is Verdict.DENIED
    assert decide(rules, Need("sagemaker:ListModels")) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}, True),
        ({"StringEquals": {"iam:PassedToService": ["a", "sagemaker.amazonaws.com"]}}, True),
        ({"StringLike": {"iam:passedtoservice": "sagemaker.*"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, False),
        ({"StringEquals": {"iam:PassedToService": "sagemaker.*"}}, False),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringNotLike": {"aws:RequestedRegion": "eu-*"}}, False),
        (
            {
                "StringLike": {
                    "iam:PassedToService": "sagemaker.*",
                    "aws:RequestedRegion": "us-*",
                }
            },
            False,
        ),
    ],
)
def test_the_conditions_of_a_statement_must_all_hold(condition, allowed):
    rules = allowing(Action="iam:PassRole", Resource="*", Condition=condition)
    need = Need("iam:PassRole", "arn:aws:iam::000000000000:role/serving", PASS)
    assert (decide(rules, need) is Verdict.ALLOWED) is allowed


def test_a_condition_on_a_key_that_a_request_does_not_have():
    equals = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    differs = {"StringNotEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    need = Need("s3:GetObject", "arn:aws:s3:::b/k")
    for condition, verdict in ((equals, Verdict.NOT_ALLOWED), (differs, Verdict.ALLOWED)):
        rules = allowing(Action="*", Resource="*", Condition=condition)
        assert decide(rules, need) is verdict


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"Action": "s3:*"}, "exactly one of Resource and NotResource"),
        ({"Resource": "*"}, "exactly one of Action and NotAction"),
        ({"Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}, "exactly one of Action"),
        ({"Action": [], "Resource": "*"}, "Action of a statement is empty"),
        ({"Action": "GetObject", "Resource": "*"}, "'GetObject' is not an action"),
        ({"Action": "s3:*", "Resource": "models"}, 'must be in ARN format or "*"'),
        ({"Action": "s3:*", "Resource": "*", "Principal": "*"}, "unknown field `Principal`"),
        ({"Action": "s3:*", "Resource": "*", "Effect": "allow"}, "Invalid enum value 'allow'"),
        (
            {"Action": "s3:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "::"}}},
            "the condition IpAddress is not available offline",
        ),
        (
            {"Action": "s3:*", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "a"}}},
            "the condition key s3:prefix is not available offline",
        ),
        (
            {"Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}"},
            "the policy variable in arn:aws:s3:::home/${aws:username} is not available offline",
        ),
    ],
)
def test_a_statement_that_iam_refuses_or_that_has_no_effect_here_is_refused(statement, reason):
    with pytest.raises(ValueError, match=r".") as error:
        allowing(**statement)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"Version": "2024-01-01", "Statement": []}, "Version '2024-01-01' is not one of"),
        ({"Version": "2012-10-17"}, "missing required field `Statement`"),
        ([], "Expected `object`"),
    ],
)
def test_a_document_that_is_no_policy_is_refused(document, reason):
    with pytest.raises(ValueError, match=reason):
        read_policy(document)
