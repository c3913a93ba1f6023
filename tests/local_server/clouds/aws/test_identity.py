"""IAM's roles and STS's sessions, through boto3: kept, checked where roles are used, refused."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.exceptions import ClientError

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu"
ACCOUNT = "arn:aws:iam::000000000000"
MANAGED = "arn:aws:iam::aws:policy/"


def trusting(**principal) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allowing(action, resource="*") -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


SERVICE = "sagemaker.amazonaws.com"
SAGEMAKER = trusting(Service=SERVICE)


@pytest.fixture
def iam(clouds):
    return clouds.aws("iam")


@pytest.fixture
def role(iam, fresh):
    """Give the name of a role that SageMaker may assume, without permissions."""
    iam.create_role(RoleName=fresh, AssumeRolePolicyDocument=SAGEMAKER)
    return fresh


def refusal(call, **fields) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as error:
        call(**fields)
    answer = error.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


def create_model(clouds, name, role, **data):
    container = {"Image": IMAGE, **data}
    arn = f"{ACCOUNT}:role/{role}"
    return {"ModelName": name, "ExecutionRoleArn": arn, "PrimaryContainer": container}


FILES = {
    "ModelDataSource": {
        "S3DataSource": {
            "S3Uri": "s3://models/double/",
            "S3DataType": "S3Prefix",
            "CompressionType": "None",
        }
    }
}


def test_a_role_is_shown_as_it_was_created(iam, fresh):
    tags = [{"Key": "team", "Value": "models"}]
    created = iam.create_role(
        RoleName=fresh, Path="/service/", AssumeRolePolicyDocument=SAGEMAKER, Tags=tags
    )["Role"]
    shown = iam.get_role(RoleName=fresh)["Role"]
    assert shown == created
    assert shown["Arn"] == f"{ACCOUNT}:role/service/{fresh}"
    assert shown["AssumeRolePolicyDocument"] == json.loads(SAGEMAKER)
    assert shown["Tags"] == tags
    assert fresh in {one["RoleName"] for one in iam.list_roles(PathPrefix="/service/")["Roles"]}
    iam.delete_role(RoleName=fresh)
    assert refusal(iam.get_role, RoleName=fresh) == (
        "NoSuchEntity",
        f"The role with name {fresh} cannot be found.",
        404,
    )


def test_names_of_roles_differ_by_more_than_case(iam, role):
    fields = {"RoleName": role.upper(), "AssumeRolePolicyDocument": SAGEMAKER}
    code, message, _ = refusal(iam.create_role, **fields)
    assert (code, message) == (
        "EntityAlreadyExists",
        f"Role with name {role.upper()} already exists.",
    )


def test_a_boundary_of_permissions_is_not_ignored(iam, fresh):
    code, message, _ = refusal(
        iam.create_role,
        RoleName=fresh,
        AssumeRolePolicyDocument=SAGEMAKER,
        PermissionsBoundary=f"{MANAGED}ReadOnlyAccess",
    )
    assert (code, message) == (
        "InvalidInput",
        "PermissionsBoundary is not available offline.",
    )


def test_wrong_roles_are_refused(iam, role):
    again = {"RoleName": role, "AssumeRolePolicyDocument": SAGEMAKER}
    assert refusal(iam.create_role, **again)[::2] == ("EntityAlreadyExists", 409)
    whole = json.loads(SAGEMAKER)
    later, other = ({**whole, "Version": "2027-01-01"}, {**whole, "Statements": []})
    documents = (json.dumps(later), json.dumps(other), "{}", '{"Statement": []}')
    for text in ("{", "[]", '{"Statement": [1]}', allowing("sts:AssumeRole"), *documents):
        wrong = {"RoleName": f"{role}x", "AssumeRolePolicyDocument": text}
        assert refusal(iam.create_role, **wrong)[::2] == ("MalformedPolicyDocument", 400)
    wrong = {"RoleName": role, "PolicyName": "p", "PolicyDocument": '{"Statement": []}'}
    assert refusal(iam.put_role_policy, **wrong)[::2] == ("MalformedPolicyDocument", 400)
    wrong = {"RoleName": "a b", "AssumeRolePolicyDocument": SAGEMAKER}
    assert refusal(iam.create_role, **wrong)[0] == "ValidationError"
    code, message, _ = refusal(iam.create_user, UserName="somebody")
    assert (code, message) == ("InvalidAction", "The action CreateUser is not available offline.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Principal": {"AWS": SERVICE}}, f'Invalid principal in policy: "AWS":"{SERVICE}"'),
        ({"Principal": {"Service": "sagemaker"}}, 'Invalid principal in policy: "SERVICE":'),
        ({"Principal": {"service": SERVICE}}, 'Invalid principal in policy: "SERVICE":'),
        ({"Principal": None}, "Syntax errors in policy."),
        ({"Principal": {"Service": 5}}, "Syntax errors in policy."),
        ({"Principal": {}}, "Syntax errors in policy."),
        ({"Effect": "allow"}, "Syntax errors in policy."),
        ({"Effect": ["Allow"]}, "Syntax errors in policy."),
        ({"Conditions": {}}, "Syntax errors in policy."),
        ({"Action": []}, "Policy statement must contain actions."),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
    ],
)
def test_a_wrong_trust_policy_is_refused_as_by_iam(iam, fresh, change, message):
    statement = {**json.loads(SAGEMAKER)["Statement"][0], **change}
    text = json.dumps({"Statement": statement})
    wrong = {"RoleName": fresh, "AssumeRolePolicyDocument": text}
    code, said, _ = refusal(iam.create_role, **wrong)
    assert (code, said[: len(message)]) == ("MalformedPolicyDocument", message)


@pytest.mark.parametrize("field", ["AssumeRolePolicyDocument", "PolicyDocument"])
def test_a_deep_document_is_malformed(iam, role, field):
    call = iam.create_role if field.startswith("Assume") else iam.put_role_policy
    more = {} if field.startswith("Assume") else {"PolicyName": "deep"}
    wrong = {"RoleName": role, field: "[" * 20_000, **more}
    assert refusal(call, **wrong)[::2] == ("MalformedPolicyDocument", 400)


def test_names_of_actions_in_trust_policies_have_wildcards_and_any_case(clouds, iam, fresh):
    text = SAGEMAKER.replace("sts:AssumeRole", "STS:assume*")
    iam.create_role(RoleName=fresh, AssumeRolePolicyDocument=text)
    iam.attach_role_policy(RoleName=fresh, PolicyArn=f"{MANAGED}AmazonS3FullAccess")
    sagemaker = clouds.aws("sagemaker")
    sagemaker.create_model(**create_model(clouds, fresh, fresh, **FILES))
    sagemaker.delete_model(ModelName=fresh)


def test_policies_of_a_role_are_kept_until_it_is_deleted_without_them(iam, role):
    document = allowing("s3:GetObject", "arn:aws:s3:::models/*")
    iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=document)
    shown = iam.get_role_policy(RoleName=role, PolicyName="read")
    assert shown["PolicyDocument"] == json.loads(document)
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["read"]
    arn = f"{MANAGED}AmazonSageMakerFullAccess"
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonSageMakerFullAccess", "PolicyArn": arn}]
    assert refusal(iam.delete_role, RoleName=role)[::2] == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.delete_role_policy(RoleName=role, PolicyName="read")
    iam.delete_role(RoleName=role)
    own = {"RoleName": "missing", "PolicyArn": f"{ACCOUNT}:policy/own"}
    assert refusal(iam.attach_role_policy, **own)[0] == "NoSuchEntity"


def test_policies_are_simulated(iam, role):
    document = allowing("s3:Get*", "arn:aws:s3:::models/*")
    iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=document)
    results = iam.simulate_principal_policy(
        PolicySourceArn=f"{ACCOUNT}:role/{role}",
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::models/a"],
    )["EvaluationResults"]
    assert [(one["EvalActionName"], one["EvalDecision"]) for one in results] == [
        ("s3:GetObject", "allowed"),
        ("s3:PutObject", "implicitDeny"),
    ]


def test_a_model_needs_a_role_that_trusts_sagemaker_and_may_read_its_files(clouds, iam, fresh):
    """The text of a role without trust is predictive-maintenance-using-machine-learning#3's."""
    sagemaker = clouds.aws("sagemaker")
    model = create_model(clouds, fresh, fresh, **FILES)
    lambdas = trusting(Service=["lambda.amazonaws.com"])
    iam.create_role(RoleName=fresh, AssumeRolePolicyDocument=lambdas)
    assert refusal(sagemaker.create_model, **model) == (
        "ValidationException",
        (
            f"Could not assume role {ACCOUNT}:role/{fresh}. Please ensure that the role exists and"
            " allows principal 'sagemaker.amazonaws.com' to assume the role."
        ),
        400,
    )
    iam.update_assume_role_policy(RoleName=fresh, PolicyDocument=SAGEMAKER)
    # SageMaker's own policy allows buckets with its name only.
    policy = {"RoleName": fresh, "PolicyArn": f"{MANAGED}AmazonSageMakerFullAccess"}
    iam.attach_role_policy(**policy)
    code, message, _ = refusal(sagemaker.create_model, **model)
    assert code == "ValidationException"
    assert message.startswith("Could not access model data at s3://models/double/.")
    policy["PolicyArn"] = f"{MANAGED}AmazonS3ReadOnlyAccess"
    iam.attach_role_policy(**policy)
    sagemaker.create_model(**model)
    sagemaker.delete_model(ModelName=fresh)


def test_a_role_that_nobody_created_offline_is_one_of_the_cloud(clouds, fresh):
    sagemaker = clouds.aws("sagemaker")
    sagemaker.create_model(**create_model(clouds, fresh, f"{fresh}-real", **FILES))
    sagemaker.delete_model(ModelName=fresh)


def in_session(clouds, credentials, service):
    return boto3.client(
        service,
        endpoint_url=clouds.url,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def test_the_session_of_a_role_has_the_permissions_of_the_role(clouds, iam, fresh):
    trust = trusting(AWS=f"{ACCOUNT}:root")
    arn = iam.create_role(RoleName=fresh, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    document = allowing("sagemaker:ListModels")
    iam.put_role_policy(RoleName=fresh, PolicyName="list", PolicyDocument=document)
    answer = clouds.aws("sts").assume_role(RoleArn=arn, RoleSessionName="ci")
    session = f"arn:aws:sts::000000000000:assumed-role/{fresh}/ci"
    assert answer["AssumedRoleUser"]["Arn"] == session
    credentials = answer["Credentials"]
    assert in_session(clouds, credentials, "sts").get_caller_identity()["Arn"] == session
    assert "Models" in in_session(clouds, credentials, "sagemaker").list_models()
    code, message, _ = refusal(in_session(clouds, credentials, "s3").list_buckets)
    assert code == "AccessDenied"
    assert message.startswith(f"User: {session} is not authorized to perform: s3:ListAllMyBuckets")


def test_a_session_has_no_other_session_token_and_an_hour_of_another_role(clouds, iam, fresh):
    first, second = fresh, f"{fresh}-2"
    trust = trusting(AWS=f"{ACCOUNT}:root")
    arn = iam.create_role(RoleName=first, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=first, PolicyName="assume", PolicyDocument=allowing("sts:AssumeRole")
    )
    session = {"RoleArn": arn, "RoleSessionName": "ci"}
    too_long = {**session, "DurationSeconds": 3601}
    code, message, _ = refusal(clouds.aws("sts").assume_role, **too_long)
    assert code == "ValidationError"
    assert message.endswith("exceeds the MaxSessionDuration set for this role.")
    credentials = clouds.aws("sts").assume_role(**session)["Credentials"]
    sts = in_session(clouds, credentials, "sts")
    assert refusal(sts.get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
        403,
    )
    chained = iam.create_role(
        RoleName=second, AssumeRolePolicyDocument=trusting(AWS=arn), MaxSessionDuration=7200
    )["Role"]["Arn"]
    chain = {"RoleArn": chained, "RoleSessionName": "ci"}
    assert sts.assume_role(**chain)["AssumedRoleUser"]["Arn"].endswith(f"/{second}/ci")
    code, message, _ = refusal(sts.assume_role, **chain, DurationSeconds=7200)
    assert message.endswith("the 1 hour session limit for roles assumed by role chaining.")


def test_a_role_that_does_not_trust_the_caller_or_exist_is_not_assumed(clouds, iam, role):
    sts = clouds.aws("sts")
    for name in (role, f"{role}-missing"):
        arn = f"{ACCOUNT}:role/{name}"
        assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="ci") == (
            "AccessDenied",
            (
                f"User: {ACCOUNT}:user/cloudserve is not authorized to perform: sts:AssumeRole on"
                f" resource: {arn}"
            ),
            403,
        )
    long = {"RoleArn": f"{ACCOUNT}:role/{role}", "RoleSessionName": "ci", "DurationSeconds": 43201}
    assert refusal(sts.assume_role, **long)[0] == "ValidationError"


def test_a_session_token_is_of_the_same_user_and_signs_requests(start_emulator, tmp_path):
    strict = start_emulator(tmp_path / "data", auth="strict")
    credentials = strict.aws("sts").get_session_token()["Credentials"]
    arn = in_session(strict, credentials, "sts").get_caller_identity()["Arn"]
    assert arn == f"{ACCOUNT}:user/cloudserve"
    strict.aws("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=SAGEMAKER)
    strict.stop()
    again = start_emulator(tmp_path / "data", auth="strict")
    assert again.aws("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"
    assert in_session(again, credentials, "s3").list_buckets()["Buckets"] == []
    wrong = credentials | {"SecretAccessKey": "guessed"}
    assert refusal(in_session(again, wrong, "sts").get_caller_identity)[2] == 403


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("Action=GetRole&RoleName.member.1=x", "MalformedInput"),
        ("Action=CreateRole&RoleName=x&AssumeRolePolicyDocument=x&MaxSessionDuration.x=1",
         "MalformedInput"),
        ("Action=%01%0D&Version=%00", "InvalidAction"),
    ],
)  # fmt: skip
def test_a_wrong_form_is_answered_in_xml(clouds, form, code):
    scope = "Credential=k/20261130/us-east-1/iam/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    request = Request(clouds.url, form.encode(), headers)
    with pytest.raises(HTTPError) as error:
        urlopen(request)
    with error.value:
        root = ET.fromstring(error.value.read())
    assert error.value.status == 400
    assert root.findtext(".//{*}Code") == code


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("assume_role_with_web_identity", {"WebIdentityToken": "token", "RoleSessionName": "s1"}),
        ("assume_role_with_saml", {"PrincipalArn": f"{ACCOUNT}:saml/x", "SAMLAssertion": "a" * 4}),
    ],
)
def test_unsigned_requests_of_sts_are_refused_by_name(clouds, operation, fields):
    call = getattr(clouds.aws("sts"), operation)
    code, text, _ = refusal(call, RoleArn=f"{ACCOUNT}:role/federated-one", **fields)
    assert code == "InvalidAction"
    assert "is not available offline" in text
