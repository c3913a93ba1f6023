"""The role of an intercepted command: the identity that `sagemaker.get_execution_role()` asks for.

The SDKs ask STS for the caller and IAM for the role's path (sagemaker 2.257, `session.py`; 3.27,
`core/helper/session_helper.py`). In AWS's notebooks the caller is a session named SageMaker of a
role that the console created in /service-role/ (aws/sagemaker-python-sdk, tests/unit/test_session).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..protocol.arns import ACCOUNT
from .roles import SERVICE, Roles
from .sessions import Keys, Sessions, session_arn

NAME = "AmazonSageMaker-ExecutionRole-offline"
ARN = f"arn:aws:iam::{ACCOUNT}:role/service-role/{NAME}"
KEYS = Keys("ASIACLOUDSERVE000000", "cloudserve", "cloudserve")
"""The credentials of the session; they are constant, and grant nothing outside the emulator."""
_TRUST = {
    "Version": "2012-10-17",
    # The SDK reads the statements as a list, which IAM does not require.
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    ],
}


def provide_execution_role(roles: Roles, sessions: Sessions, policies: Mapping[str, str]) -> None:
    """Create the role and its session, or replace those of an earlier start.

    `policies` are the role's inline policies: those of `--policy` and `--deny`.
    """
    role = {
        "RoleName": NAME,
        "Path": "/service-role/",
        "AssumeRolePolicyDocument": json.dumps(_TRUST),
        "Description": "The identity of the command of cloudserve emulate --intercept",
    }
    roles.replace(role, policies)
    sessions.keep(KEYS, session_arn(NAME, "SageMaker"), NAME)
