"""What callers without a permission are answered by each service, with the words of reports."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.permissions.needs import deleting, of_logs, of_sagemaker

USER = "arn:aws:iam::000000000000:user/cloudserve"
ROLE = "arn:aws:iam::123456789012:role/serving"
EXPLICIT = "with an explicit deny in an identity-based policy"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:*", "sagemaker:Describe*", "sagemaker:CreateModel"],
            "Resource": "*",
        },
        {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::models/kept/*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/secret"},
    ],
}


@pytest.fixture(scope="module")
def limited(new_emulator, tmp_path_factory):
    """Give an emulator whose caller has one policy, and a bucket `models`."""
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_text(json.dumps(POLICY))
    running = new_emulator(None, policies=(path,), deny=("sagemaker:InvokeEndpoint", "s3:ListB*"))
    running.aws("s3").create_bucket(Bucket="models")
    yield running
    running.stop()


def refusal(call, **fields) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as error:
        call(**fields)
    answer = error.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


def test_sagemaker_names_user_action_and_resource(limited):
    """The text is that of philschmid/cdk-samples#2, the status that of aws/aws-cdk#26012."""
    sagemaker = limited.aws("sagemaker")
    resource = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/half"
    assert refusal(sagemaker.delete_endpoint, EndpointName="Half") == (
        "AccessDeniedException",
        (
            f"User: {USER} is not authorized to perform: sagemaker:DeleteEndpoint on resource:"
            f" {resource} because no identity-based policy allows the sagemaker:DeleteEndpoint"
            " action"
        ),
        400,
    )
    runtime = limited.aws("sagemaker-runtime")
    assert refusal(runtime.invoke_endpoint, EndpointName="half", Body=b"1") == (
        "AccessDeniedException",
        (
            f"User: {USER} is not authorized to perform: sagemaker:InvokeEndpoint on resource:"
            f" {resource} {EXPLICIT}"
        ),
        400,
    )


def test_an_allowed_action_is_answered_as_ever(limited):
    code, message, _ = refusal(limited.aws("sagemaker").describe_endpoint, EndpointName="half")
    assert (code, message[:14]) == ("ValidationException", "Could not find")
    assert limited.aws("sts").get_caller_identity()["Arn"] == USER


def test_a_model_needs_iam_pass_role_and_its_tags_need_add_tags(limited):
    """The texts are those of aws/amazon-sagemaker-feedback#61 and aws/aws-cdk#32294."""
    model = {
        "ModelName": "m",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://models/m.tar.gz"},
    }
    create = limited.aws("sagemaker").create_model
    for more, action, resource in (
        ({}, "iam:PassRole", ROLE),
        (
            {"Tags": [{"Key": "a", "Value": "b"}]},
            "sagemaker:AddTags",
            "arn:aws:sagemaker:us-east-1:000000000000:model/m",
        ),
    ):
        code, message, status = refusal(create, **model, **more)
        assert (code, status) == ("AccessDeniedException", 400)
        assert message == (
            f"User: {USER} is not authorized to perform: {action} on resource: {resource} because"
            f" no identity-based policy allows the {action} action"
        )


def test_s3_quotes_the_resource(limited):
    """The text is that of Privado-Inc/privado#573."""
    s3 = limited.aws("s3")
    s3.put_object(Bucket="models", Key="kept/a", Body=b"x")
    s3.put_object(Bucket="models", Key="b", Body=b"x")
    message = (
        f"User: {USER} is not authorized to perform: s3:DeleteObject on resource:"
        f' "arn:aws:s3:::models/kept/a" {EXPLICIT}'
    )
    assert refusal(s3.delete_object, Bucket="models", Key="kept/a") == (
        "AccessDenied",
        message,
        403,
    )
    objects = [{"Key": "kept/a"}, {"Key": "b"}]
    result = s3.delete_objects(Bucket="models", Delete={"Objects": objects})
    assert [each["Key"] for each in result["Deleted"]] == ["b"]
    assert result["Errors"] == [{"Key": "kept/a", "Code": "AccessDenied", "Message": message}]
    assert s3.get_object(Bucket="models", Key="kept/a")["Body"].read() == b"x"


def test_without_list_bucket_a_missing_object_is_refused_not_missing(limited):
    """Source: GetObject, "Permissions"; aws/aws-cli#2041."""
    s3 = limited.aws("s3")
    code, message, status = refusal(s3.get_object, Bucket="models", Key="missing")
    assert (code, status) == ("AccessDenied", 403)
    assert 'perform: s3:ListBucket on resource: "arn:aws:s3:::models"' in message
    # A HEAD request has no body, so no reason either.
    assert refusal(s3.head_object, Bucket="models", Key="missing") == ("403", "Forbidden", 403)


def test_a_copy_needs_its_source_too(limited):
    s3 = limited.aws("s3")
    s3.put_object(Bucket="models", Key="secret", Body=b"x")
    source = {"Bucket": "models", "Key": "secret"}
    _, message, _ = refusal(s3.copy_object, Bucket="models", Key="copied", CopySource=source)
    assert 'perform: s3:GetObject on resource: "arn:aws:s3:::models/secret"' in message
    # Without s3:ListBucket, a missing object is refused.
    assert refusal(s3.head_object, Bucket="models", Key="copied")[0] == "403"


def test_the_other_services_refuse_in_their_form(limited):
    names = {"AlarmNames": ["errors"]}
    code, message, _ = refusal(limited.aws("cloudwatch").describe_alarms, **names)
    assert code == "AccessDenied"
    assert "cloudwatch:DescribeAlarms on resource: arn:aws:cloudwatch:us-east-1:" in message
    group = {"logGroupName": "/aws/sagemaker/Endpoints/half"}
    code, message, _ = refusal(limited.aws("logs").describe_log_streams, **group)
    assert code == "AccessDeniedException"
    assert "log-group:/aws/sagemaker/Endpoints/half:log-stream:" in message
    scaling = limited.aws("application-autoscaling")
    code, _, _ = refusal(scaling.describe_scalable_targets, ServiceNamespace="sagemaker")
    assert code == "AccessDeniedException"


def test_the_deletion_of_a_scaled_endpoint_deregisters_its_variants():
    """Source: awslabs/stable-diffusion-aws-extension#161."""
    needs = deleting(lambda _, endpoint: endpoint == "scaled", of_sagemaker)

    def actions(operation: str, endpoint: str) -> list[str]:
        body = {"EndpointName": endpoint}
        return [need.action for need in needs(operation, "us-east-1", body)]

    deletion = "sagemaker:DeleteEndpoint"
    both = [deletion, "application-autoscaling:DeregisterScalableTarget"]
    assert actions("DeleteEndpoint", "scaled") == both
    assert actions("DeleteEndpoint", "other") == [deletion]
    assert actions("DescribeEndpoint", "scaled") == ["sagemaker:DescribeEndpoint"]


@pytest.mark.parametrize("suffix", ["", ":*"])
def test_a_log_group_by_its_arn_is_the_one_of_its_name(suffix):
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/g"
    by_arn = {"logGroupIdentifier": f"{arn}{suffix}"}
    wanted = list(of_logs("FilterLogEvents", "us-east-1", {"logGroupName": "/aws/g"}))
    assert list(of_logs("FilterLogEvents", "us-east-1", by_arn)) == wanted
    assert wanted[0].resource == f"{arn}:log-stream:"
