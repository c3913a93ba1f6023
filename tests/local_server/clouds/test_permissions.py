"""The options `--deny` and `--policy`: wrong ones are errors before anything starts."""

from __future__ import annotations

import sys

import pytest
from cloudserve.local_server.clouds.aws.permissions.policy import Need
from cloudserve.local_server.clouds.permissions import _aws_actions, read_permissions

from cloudserve.errors import MissingExtraError, UserError


@pytest.mark.parametrize(
    ("denied", "reason", "hint"),
    [
        (
            "sagemaker:CreateEndpont",
            "`sagemaker:CreateEndpont` is not an action",
            "did you mean `sagemaker:CreateEndpoint`?",
        ),
        (
            "s3:GetObject,aiplatform.endpoint.deploy",
            "`aiplatform.endpoint.deploy` is not a permission",
            "did you mean `aiplatform.endpoints.deploy`?",
        ),
        ("kms:Decrypt", "`kms:Decrypt` is not an action that the offline clouds check", None),
        ("s3:[GP]etObject", "`s3:[GP]etObject` is not an action", None),
        ("*:*", "`*:*` is not an action that the offline clouds check", None),
        ("s3:GetObject,", "`` is not a permission that the offline clouds check", None),
        ("", "`` is not a permission that the offline clouds check", None),
        ("s3:Gett*", "`s3:Gett*` is not an action that the offline clouds check", None),
    ],
)
def test_a_name_without_effect_is_refused(denied, reason, hint):
    with pytest.raises(UserError) as error:
        read_permissions([denied], ())
    assert reason in error.value.message
    assert hint in {None, error.value.hint}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "invalid IAM policy: Input data was truncated"),
        ('{"Statement": ' + "[" * 20_000, "invalid IAM policy: maximum recursion depth"),
        ('{"Statement": {"Effect": "Allow"}}', "exactly one of Action and NotAction"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(tmp_path, content, reason):
    path = tmp_path / "policy.json"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_permissions((), (path,))
    assert reason in error.value.message
    assert error.value.where == str(path)


def test_without_options_nothing_is_checked():
    permissions = read_permissions((), ())
    (rule,) = permissions.aws.rules
    assert rule.allows
    assert rule.applies(Need("sagemaker:CreateEndpoint", "arn:aws:sagemaker:a:1:endpoint/b"))
    assert not permissions.google.covers("storage.objects.get")


def test_denying_an_action_of_aws_needs_botocore(monkeypatch):
    _aws_actions.cache_clear()
    monkeypatch.setitem(sys.modules, "botocore.loaders", None)
    with pytest.raises(MissingExtraError) as error:
        read_permissions(["s3:GetObject"], ())
    assert error.value.hint == "pip install 'cloudserve[aws]'"
