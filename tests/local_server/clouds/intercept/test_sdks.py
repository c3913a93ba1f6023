"""Unmodified SDKs through the proxy: no endpoint, no region's host, no emulator is named."""

import json
from contextlib import contextmanager

import pytest
import requests
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.intercept.variables import intercepting_variables

from tests.local_server.clouds.conftest import RunningEmulator

WEST = "eu-west-1"


@pytest.fixture(scope="module")
def emulator():
    running = RunningEmulator(None, intercept=True)
    yield running
    running.stop()


@pytest.fixture
def aws(emulator, monkeypatch):
    """Give a function that creates boto3's clients of the intercepted environment."""
    import boto3

    intercept(monkeypatch, emulator)
    return boto3.Session().client


def intercept(monkeypatch, emulator):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("url", "added"),
    [("http://127.0.0.1:1", ""), ("http://10.0.0.7:1", ",10.0.0.7"), ("http://[::1]:1", "")],
)
def test_the_emulator_itself_is_reached_without_the_proxy(tmp_path, url, added):
    variables = intercepting_variables(tmp_path, tmp_path, "http://127.0.0.1:2", url)
    assert variables["NO_PROXY"] == f"localhost,127.0.0.1,::1{added}"


class TestAws:
    @pytest.mark.parametrize("style", ["virtual", "path"])
    @pytest.mark.parametrize("options", [{}, {"use_dualstack_endpoint": True}])
    def test_s3_by_host_and_by_path(self, aws, style, options):
        from botocore.config import Config

        config = Config(s3={"addressing_style": style}, **options)
        s3 = aws("s3", region_name=WEST, config=config)
        bucket = f"{style}-{len(options)}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": WEST})
        s3.put_object(Bucket=bucket, Key="a b/c+d", Body=b"model")
        assert s3.get_object(Bucket=bucket, Key="a b/c+d")["Body"].read() == b"model"
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
        url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/c+d"})
        assert requests.get(url).content == b"model"

    def test_an_unsigned_request_reaches_s3(self, aws):
        from botocore import UNSIGNED
        from botocore.config import Config

        s3 = aws("s3", config=Config(signature_version=UNSIGNED))
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.list_objects_v2(Bucket="nobodys-bucket")

    def test_the_services_around_a_deployment(self, aws):
        assert aws("sts").get_caller_identity()["Account"] == "000000000000"
        assert aws("sts", region_name=WEST).get_caller_identity()
        assert aws("sagemaker", region_name=WEST).list_endpoints()["Endpoints"] == []
        assert aws("service-quotas").list_service_quotas(ServiceCode="sagemaker")["Quotas"] == []
        assert aws("logs").describe_log_groups()["logGroups"] == []
        with pytest.raises(ClientError, match="RepositoryNotFoundException"):
            aws("ecr").describe_images(repositoryName="none", imageIds=[{"imageTag": "1"}])
        assert aws("cloudwatch").list_metrics()["Metrics"] == []
        assert aws("sns", region_name=WEST).list_topics()["Topics"] == []
        with pytest.raises(ClientError, match="NoSuchEntity"):
            aws("iam").get_role(RoleName="nobody")
        with pytest.raises(ClientError, match="ValidationError"):
            aws("sagemaker-runtime", region_name=WEST).invoke_endpoint(
                EndpointName="none", Body=b"{}"
            )
        with pytest.raises(ClientError, match="ec2 is not available offline"):
            aws("ec2").describe_instances()

    def test_the_caller_is_a_role_that_exists(self, aws):
        caller = aws("sts").get_caller_identity()
        role = aws("iam").get_role(RoleName=caller["Arn"].split("/")[1])["Role"]
        account = "arn:aws:iam::000000000000"
        name = "AmazonSageMaker-ExecutionRole-offline"
        assert role["Arn"] == f"{account}:role/service-role/{name}"
        assert caller["UserId"] == f"{role['RoleId']}:SageMaker"
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}

    @pytest.mark.parametrize(
        ("service", "signed", "text"),
        [
            ("sagemaker", "us-east-1", "valid region, not 'us-east-1'"),
            ("s3", "us-east-1", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
            ("sts", "us-east-1", "valid region, not 'us-east-1'"),
        ],
    )
    def test_a_host_of_another_region_than_the_signature(self, aws, service, signed, text):
        host = {"sagemaker": "api.sagemaker"}.get(service, service)
        url = f"https://{host}.{WEST}.amazonaws.com"
        client = aws(service, region_name=signed, endpoint_url=url)
        call = {
            "sagemaker": "list_models",
            "s3": "list_buckets",
            "sts": "get_caller_identity",
        }[service]
        with pytest.raises(ClientError, match=text):
            getattr(client, call)()

    def test_a_host_of_another_service_than_the_signature(self, aws):
        client = aws("logs", endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com")
        with pytest.raises(ClientError, match="scoped to correct service: 'sagemaker'"):
            client.describe_log_groups()


@contextmanager
def intercepted(monkeypatch, data, **options):
    """Give boto3's clients of a command that is limited by options."""
    import boto3

    running = RunningEmulator(data, intercept=True, auth="strict", **options)
    try:
        intercept(monkeypatch, running)
        yield boto3.Session().client
    finally:
        running.stop()


def test_deny_and_policy_are_the_policies_of_the_commands_role(monkeypatch, tmp_path):
    name = "AmazonSageMaker-ExecutionRole-offline"
    policy = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": ["iam:*", "s3:*"], "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    with intercepted(monkeypatch, tmp_path / "data") as client:
        client("s3").create_bucket(Bucket="first")
        assert client("iam").list_role_policies(RoleName=name)["PolicyNames"] == ["everything"]
    options = {"policies": (policy,), "deny": ("s3:Create*",)}
    with intercepted(monkeypatch, tmp_path / "data", **options) as client:
        iam = client("iam")
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["denied", "policy-1"]
        s3 = client("s3")
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["first"]
        form = s3.generate_presigned_post("first", "key")
        sent = requests.post(form["url"], data=form["fields"], files={"file": b"model"})
        assert sent.status_code == 204, sent.text
        caller = f"User: arn:aws:sts::000000000000:assumed-role/{name}/SageMaker"
        with pytest.raises(ClientError, match=f"{caller} is not authorized .* explicit deny"):
            s3.create_bucket(Bucket="second")
        with pytest.raises(ClientError, match="no identity-based policy allows the sagemaker:List"):
            client("sagemaker").list_models()


class TestGoogle:
    def test_cloud_storage_with_default_credentials(self, emulator, monkeypatch):
        from google.cloud import storage

        intercept(monkeypatch, emulator)
        with storage.Client() as client:
            blob = client.create_bucket("intercepted").blob("a/b.txt")
            blob.upload_from_string(b"model")
            assert blob.download_as_bytes() == b"model"
            # A bucket with the name of another service's path.
            client.create_bucket("token").blob("a").upload_from_string(b"model")
        object_url = "https://storage.googleapis.com/token/a"
        token = {"Authorization": "Bearer t"}
        assert requests.get(object_url, headers=token).content == b"model"

    @pytest.mark.parametrize(
        ("path", "permission"),
        [
            ("/storage/v1/b?project=p", "storage.buckets.list access to the Google Cloud project"),
            ("/storage/v1/b/b", "storage.buckets.get access to the Google Cloud Storage bucket"),
            (
                "/storage/v1/b/b/o/a",
                "storage.objects.get access to the Google Cloud Storage object",
            ),
            ("/b/a", "storage.objects.get access to the Google Cloud Storage object"),
        ],
    )
    def test_cloud_storage_refuses_nobodys_requests(self, emulator, monkeypatch, path, permission):
        intercept(monkeypatch, emulator)
        headers = {"x-goog-api-client": "gl-python/3.11"}
        answer = requests.get(f"https://storage.googleapis.com{path}", headers=headers)
        assert answer.status_code == (401 if path.startswith("/storage") else 403)
        assert f"Anonymous caller does not have {permission}" in answer.text

    def test_a_request_of_an_s3_client_to_cloud_storage_is_not_answered_by_s3(self, aws):
        client = aws("s3", endpoint_url="https://storage.googleapis.com")
        with pytest.raises(ClientError, match="not available offline"):
            client.list_buckets()

    def test_a_program_on_a_virtual_machine_gets_its_account(self, emulator, monkeypatch):
        from google.auth import compute_engine
        from google.auth.transport.requests import Request

        intercept(monkeypatch, emulator)
        credentials = compute_engine.Credentials()
        credentials.refresh(Request())
        assert credentials.token.startswith("ya29.offline-")
        assert credentials.service_account_email.startswith("offline@")

    def test_the_metadata_server(self, emulator, monkeypatch):
        intercept(monkeypatch, emulator)
        root = "http://metadata.google.internal/computeMetadata/v1"
        flavor = {"Metadata-Flavor": "Google"}

        def ask(path, headers=flavor):
            return requests.get(root + path, headers=headers)

        assert ask("/project/project-id").text == "cloudserve-offline"
        assert ask("/universe/universe-domain").text == "googleapis.com"
        assert ask("/instance/service-accounts/").text.splitlines()[0] == "default/"
        account = ask("/instance/service-accounts/default/?recursive=true").json()
        assert account["aliases"] == ["default"]
        assert ask("/instance/zone").headers["Metadata-Flavor"] == "Google"
        assert ask("/instance/nothing").status_code == 404
        assert ask("/project/project-id", {}).status_code == 403
        assert ask("/project/project-id", flavor | {"X-Forwarded-For": "1"}).status_code == 403

    def test_ai_platform_through_httplib2(self, emulator, monkeypatch):
        from googleapiclient.discovery import build

        intercept(monkeypatch, emulator)
        # A new process reads it from HTTPLIB2_CA_CERTS.
        monkeypatch.setattr("httplib2.CA_CERTS", emulator.environment["HTTPLIB2_CA_CERTS"])
        with build("ml", "v1") as ml:
            parent = "projects/cloudserve-offline"
            assert ml.projects().models().list(parent=parent).execute() == {}
