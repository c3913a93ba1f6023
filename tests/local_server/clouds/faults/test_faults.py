"""Injected faults: each service's clients see them as the service's own errors."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
import pytest
import requests
from cloudserve.local_server.clouds.faults.rules import Rule, load_rules, read_rules
from cloudserve.local_server.clouds.latency import Latency
from cloudserve.local_server.transport.types import Head
from googleapiclient.errors import HttpError
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudserve.errors import UserError

UNHEALTHY = "The primary container for production variant main did not pass the ping health check."
NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
    " Please retry using a different ML instance type or after some time."
)


@pytest.fixture(scope="module")
def broken_clouds(new_emulator, models):
    """Give an emulator of this file's own: faults hit everybody who uses it."""
    running = new_emulator(None)
    running.upload("models", "", models)
    yield running
    running.stop()


@pytest.fixture
def faults(broken_clouds):
    """Give a function that sets the rules; they end with the test."""
    url = f"{broken_clouds.url}/_cloudserve/faults"

    def set_rules(*rules: dict) -> dict:
        answer = requests.post(url, json={"faults": rules}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    yield set_rules
    assert requests.delete(url, timeout=60).json() == {"faults": []}


class TestStatuses:
    def test_google_apis_refuse_in_their_form(self, broken_clouds, faults):
        faults({"route": "GET /v1/projects/p/models", "status": 503, "message": "later"})
        client = broken_clouds.ml()
        with pytest.raises(HttpError) as caught:
            client.projects().models().list(parent="projects/p").execute()
        client.close()
        error = json.loads(caught.value.content)["error"]
        assert error == {"code": 503, "message": "later", "status": "UNAVAILABLE"}

    def test_sagemaker_refuses_in_its_form(self, broken_clouds, faults):
        faults({"route": "SageMaker.ListModels", "status": 429})
        client = broken_clouds.aws("sagemaker")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.list_models()
        error = caught.value.response
        assert error["Error"]["Code"] == "ThrottlingException"
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
        client.list_endpoints()

    @pytest.mark.parametrize(
        ("route", "code", "status"),
        [
            ("SageMaker.ListModels", "ResourceLimitExceeded", 400),
            ("SageMaker.ListModels", "ConflictException", 400),
            ("SageMaker.ListModels", "UnrecognizedClientException", 403),
            ("SageMaker.ListModels", "AccessDeniedException", 403),
            ("SageMaker.ListModels", "NotAuthorized", 401),
        ],
    )
    def test_sagemaker_refuses_with_a_code_of_its_own(
        self, broken_clouds, faults, route, code, status
    ):
        faults({"route": route, "code": code, "message": "no more"})
        client = broken_clouds.aws("sagemaker")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.list_models()
        assert type(caught.value).__name__ in {code, "ClientError"}
        assert caught.value.response["Error"] == {"Code": code, "Message": "no more"}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status

    def test_the_runtime_and_s3_refuse_with_codes_of_their_own(self, broken_clouds, faults):
        faults(
            {"route": "POST /endpoints/*/invocations", "code": "ModelNotReadyException"},
            {"route": "GET /models*", "code": "NoSuchUpload"},
        )
        runtime, s3 = broken_clouds.aws("sagemaker-runtime"), broken_clouds.aws("s3")
        with pytest.raises(runtime.exceptions.ModelNotReadyException) as caught:
            runtime.invoke_endpoint(EndpointName="e", Body=b"{}")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        with pytest.raises(s3.exceptions.NoSuchUpload) as caught:
            s3.list_objects_v2(Bucket="models")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404

    def test_the_sagemaker_runtime_refuses_in_its_form(self, broken_clouds, faults):
        faults({"route": "POST /endpoints/*/invocations", "status": 503})
        client = broken_clouds.aws("sagemaker-runtime")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.invoke_endpoint(EndpointName="e", Body=b"{}")
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"

    def test_s3_refuses_in_its_form(self, broken_clouds, faults):
        faults({"route": "GET /models*", "status": 503})
        client = broken_clouds.aws("s3")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.list_objects_v2(Bucket="models")
        assert caught.value.response["Error"]["Code"] == "SlowDown"

    def test_cloud_storage_refuses_in_its_form(self, broken_clouds, faults):
        from google.api_core.exceptions import Forbidden

        faults({"route": "GET /storage/v1/b/models*", "status": 403, "message": "no"})
        with broken_clouds.gcs() as client, pytest.raises(Forbidden, match="no") as caught:
            client.get_bucket("models")
        assert caught.value.errors[0]["reason"] == "forbidden"


class TestHowOften:
    def test_a_rule_begins_after_what_it_skips_and_ends_after_its_times(
        self, broken_clouds, faults
    ):
        faults({"route": "GET /storage/*", "status": 503, "skip": 1, "times": 2})
        url = f"{broken_clouds.url}/storage/v1/b?project=p"
        statuses = [requests.get(url, timeout=60).status_code for _ in range(5)]
        assert statuses == [200, 503, 503, 200, 200]
        (rule,) = requests.get(f"{broken_clouds.url}/_cloudserve/faults", timeout=60).json()[
            "faults"
        ]
        assert rule == {
            "route": "GET /storage/*",
            "status": 503,
            "skip": 1,
            "times": 2,
            "hits": 2,
        }

    def test_clients_that_retry_get_over_it(self, broken_clouds, faults):
        faults({"route": "GET /storage/*", "status": 503, "times": 1})
        with broken_clouds.gcs() as client:
            assert client.get_bucket("models").name == "models"

    def test_a_quota_lets_so_many_pass(self, broken_clouds, faults):
        faults({"route": "* /storage/*", "quota": {"requests": 2, "seconds": 1000}})
        url = f"{broken_clouds.url}/storage/v1/b?project=p"
        answers = [requests.get(url, timeout=60) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["error"]["errors"][0]["reason"] == "rateLimitExceeded"


def test_a_dropped_connection_gives_no_answer(broken_clouds, faults):
    faults({"route": "GET /storage/*", "drop": True})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{broken_clouds.url}/storage/v1/b?project=p", timeout=60)


def test_a_latency_is_waited_on_the_clock_before_the_answer(new_emulator, new_clock, poll_until):
    clock = new_clock()
    running = new_emulator(None, latency=Latency(clock))
    url = f"{running.url}/storage/v1/b?project=p"
    rules = {"faults": [{"route": "GET /storage/*", "latency": 90, "status": 503}]}
    requests.post(f"{running.url}/_cloudserve/faults", json=rules, timeout=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, url, timeout=60)
        poll_until(lambda: clock.sleeping, bool)
        running._loop.call_soon_threadsafe(clock.advance, 89)
        assert not waiting.done()
        running._loop.call_soon_threadsafe(clock.advance, 1)
        assert waiting.result().status_code == 503
    running.stop()


class TestFailedOperations:
    def test_ai_platforms_version_fails_in_its_words(self, broken_clouds, faults, poll_until):
        faults({"route": "POST */versions", "operation": {"message": "no machines"}})
        ml = broken_clouds.ml()
        ml.projects().models().create(parent="projects/p", body={"name": "m"}).execute()
        body = {
            "name": "v1",
            "deploymentUri": "gs://models/double/1",
            "runtimeVersion": "2.11",
            "pythonVersion": "3.7",
        }
        create = ml.projects().models().versions().create(parent="projects/p/models/m", body=body)
        get = ml.projects().operations().get(name=create.execute()["name"])
        ended = poll_until(get.execute, lambda operation: operation.get("done", False))
        ml.close()
        assert ended["error"]["message"] == (
            'Create Version failed. Bad model detected with error: "no machines"'
        )

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            ({"message": "no reason"}, f"{UNHEALTHY} no reason"),
            ({"code": "CapacityError"}, NO_CAPACITY),
        ],
    )
    def test_sagemakers_endpoint_fails_in_its_words(
        self, broken_clouds, faults, poll_until, failure, reason
    ):
        faults({"route": "SageMaker.CreateEndpoint", "operation": failure})
        sm = broken_clouds.aws("sagemaker")
        container = {
            "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.16-cpu",
            "ModelDataSource": {
                "S3DataSource": {
                    "S3Uri": "s3://models/double/",
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                }
            },
        }
        role = "arn:aws:iam::000000000000:role/serving"
        name = f"m-{len(reason)}"
        sm.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
        variant = {
            "VariantName": "main",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        sm.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
        ended = poll_until(
            lambda: sm.describe_endpoint(EndpointName=name),
            lambda endpoint: endpoint["EndpointStatus"] != "Creating",
        )
        assert ended["EndpointStatus"] == "Failed"
        assert ended["FailureReason"] == reason

    def test_vertex_ais_operation_ends_with_the_code(self, broken_clouds, faults, poll_until):
        failure = {"code": "RESOURCE_EXHAUSTED", "message": "no GPUs left"}
        faults({"route": "POST */endpoints", "operation": failure, "times": 1})
        parent = f"{broken_clouds.url}/v1/projects/p/locations/us-central1"

        def create() -> dict:
            body = {"displayName": "e"}
            begun = requests.post(f"{parent}/endpoints", json=body, timeout=60).json()
            url = f"{broken_clouds.url}/v1/{begun['name']}"
            return poll_until(
                lambda: requests.get(url, timeout=60).json(), lambda o: o.get("done", False)
            )

        assert create()["error"] == {"code": 8, "message": "no GPUs left"}
        assert "response" in create()


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"status": 500}, "missing required field `route`"),
            ({"route": "*"}, "one of status, code, latency, drop, operation and quota must be set"),
            (
                {"route": "*", "code": "ResourceLimitExceded"},
                "did you mean 'ResourceLimitExceeded'",
            ),
            ({"route": "*", "code": "SlowDown", "drop": True}, "only one of status or code"),
            ({"route": "*", "status": 200}, "Expected `int` >= 400"),
            ({"route": "*", "status": 500, "drop": True}, "only one of"),
            ({"route": "*", "drop": True, "message": "x"}, "message needs status"),
            ({"route": "*", "drop": True, "nope": 1}, "unknown field `nope`"),
            ({"route": "*", "latency": -1}, "Expected `float` >= 0"),
            ({"route": "*", "operation": {"code": "OK"}}, "'OK' is not an error code"),
        ],
    )
    def test_wrong_rules_are_refused_and_the_old_ones_stay(
        self, broken_clouds, faults, rule, message
    ):
        before = faults({"route": "nothing", "drop": True})
        url = f"{broken_clouds.url}/_cloudserve/faults"
        answer = requests.post(url, json={"faults": [rule]}, timeout=60)
        assert answer.status_code == 400
        assert message in answer.json()["error"]["message"]
        assert requests.get(url, timeout=60).json() == before

    @pytest.mark.parametrize(
        ("method", "data", "kind", "status"),
        [
            ("POST", b"{", "application/json", 400),
            ("POST", b"[]", "application/json", 400),
            ("POST", b'{"faults": []}', "text/plain", 415),
            ("PUT", b"", "application/json", 405),
        ],
    )
    def test_wrong_requests_are_refused(self, broken_clouds, method, data, kind, status):
        url = f"{broken_clouds.url}/_cloudserve/faults"
        headers = {"Content-Type": kind}
        answer = requests.request(method, url, data=data, headers=headers, timeout=60)
        assert answer.status_code == status

    def test_a_file_of_rules_is_in_force_from_the_start(self, tmp_path, start_emulator):
        path = tmp_path / "faults.yaml"
        path.write_text('faults:\n  - route: "GET /storage/*"\n    status: 503\n')
        url = start_emulator(None, faults=path).url
        assert requests.get(f"{url}/storage/v1/b?project=p", timeout=60).status_code == 503

    @pytest.mark.parametrize("text", ["faults: [", "faults: 7", "- 1", "faults: [{route: a}]"])
    def test_a_wrong_file_is_refused_with_its_name(self, tmp_path, text):
        path = tmp_path / "faults.yaml"
        path.write_text(text)
        with pytest.raises(UserError, match="invalid fault rules") as caught:
            load_rules(path)
        assert caught.value.where == str(path)

    def test_an_empty_file_has_no_faults(self, tmp_path):
        path = tmp_path / "faults.yaml"
        path.write_text("")
        assert load_rules(path).faults == []

    @settings(max_examples=40)
    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def test_whatever_is_given_is_read_or_refused(self, value):
        if value == []:
            assert read_rules({"faults": value}).faults == []
        else:
            with pytest.raises(ValueError, match="Expected"):
                read_rules({"faults": value})

    def test_a_route_is_the_method_and_path_or_the_target(self):
        rule = Rule(route="POST /v1/*:predict", drop=True)
        assert rule.matches(Head("POST", "/v1/projects/p/models/m:predict"))
        assert not rule.matches(Head("GET", "/v1/projects/p/models/m:predict"))
        named = Rule(route="SageMaker.*", drop=True)
        assert named.matches(Head("POST", "/", headers={"x-amz-target": "SageMaker.CreateModel"}))
