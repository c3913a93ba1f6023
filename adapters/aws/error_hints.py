"""Hints for SageMaker's refusals and failure reasons, chosen by their text.

The service has one code, ValidationException, for most of them; sources: SageMaker's developer
guide, "Troubleshoot endpoints", and the API reference's errors.
"""

from __future__ import annotations

import re

DENIED = re.compile(
    r"(?:User: (?P<who>\S+) is )?not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: \"?(?P<resource>[^\s\"]+)\"?)?(?P<rest>.*)",
    re.DOTALL,
)
ROLE = re.compile(
    r'[Rr]ole\s+[`"\']?(arn:aws[a-z-]*:iam::\d{12}:role/[^\s"\'`]+?)[`"\'.,]*(?:\s|$)'
)
EXPLICIT = "explicit deny"
ADVICE = (
    (
        re.compile(r"assume (the )?role|sts:AssumeRole", re.IGNORECASE),
        (
            "let sagemaker.amazonaws.com assume {role} (its trust policy, sts:AssumeRole), "
            "and allow it s3:GetObject and s3:ListBucket on the bucket"
        ),
    ),
    (
        re.compile(r"model data|s3:GetObject|S3 ?object", re.IGNORECASE),
        (
            "allow {role} s3:GetObject and s3:ListBucket on the bucket, and kms:Decrypt on its key "
            "if it has one"
        ),
    ),
    (
        re.compile(r"ecr:|image .*(not exist|access|found)|access .*image", re.IGNORECASE),
        (
            "check `image` and its region; allow {role} ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer and ecr:GetAuthorizationToken"
        ),
    ),
    (
        re.compile(r"InsufficientInstanceCapacity|insufficient capacity|availability zone"),
        "AWS has none of this `instance_type` free now: try another, another region, or later",
    ),
    (
        re.compile(r"service limit|account-level|ResourceLimitExceeded", re.IGNORECASE),
        (
            "ask for more in Service Quotas (Amazon SageMaker), delete an endpoint, or choose "
            "another `instance_type`"
        ),
    ),
    (
        re.compile(r"ping health check"),
        "the container's log says why the model does not load; correct it",
    ),
    (
        re.compile(r"(find|exist).*alarm|alarm.*exist", re.IGNORECASE),
        "create the alarm in CloudWatch, in the endpoint's region, or correct `alarms`",
    ),
    (
        re.compile(r"\bALARM\b"),
        "look at the alarm's metric and wait until it is OK",
    ),
)


def for_denied(message: str, operation: str) -> str:
    """Return which action whom to allow on what, from the service's sentence where it says so."""
    match = DENIED.search(message)
    if match is None:
        return f"allow these credentials the action {operation} on this resource"
    who = match["who"] or "these credentials"
    on = f" on {match['resource']}" if match["resource"] else ""
    hint = f"allow {who} the action {match['action']}{on}"
    if EXPLICIT in match["rest"]:
        return f"{hint}: a policy denies it explicitly, which no allowing one outweighs"
    return hint


def for_reason(message: str, role_arn: str = "the role of `role_arn`") -> str | None:
    """Return the hint for a text of SageMaker's, or None for an unknown text."""
    named = ROLE.search(message)
    for pattern, advice in ADVICE:
        if pattern.search(message):
            return advice.format(role=named[1] if named else role_arn)
    return None
