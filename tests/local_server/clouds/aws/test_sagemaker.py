from __future__ import annotations

import io
import json
import tarfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/serving"
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
JSON = "application/json"


@pytest.fixture(scope="module")
def sm(clouds):
    return clouds.aws("sagemaker")


@pytest.fixture(scope="module")
def runtime(clouds):
    return clouds.aws("sagemaker-runtime")


def prefix_source(uri: str) -> dict:
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {
        "Image": "tensorflow-inference:2.20-cpu-py312",
        "ModelDataSource": {"S3DataSource": source},
    }


@pytest.fixture
def add_model(sm):
    """Give a function that creates a model of a prefix."""

    def create(name: str, uri: str, **more) -> None:
        sm.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=prefix_source(uri) | more
        )

    return create


@pytest.fixture
def add_config(sm):
    """Give a function that creates a configuration from (variant, model, weight) triples."""

    def create(name: str, *variants: tuple[str, str, float]) -> None:
        sm.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": model,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": weight,
                }
                for variant, model, weight in variants
            ],
        )

    return create


@pytest.fixture
def settled(sm, poll_until):
    """Give a function that waits until nothing is under way for an endpoint."""

    def wait(name: str) -> dict:
        return poll_until(
            lambda: sm.describe_endpoint(EndpointName=name),
            lambda answer: not answer["EndpointStatus"].endswith("ing"),
        )

    return wait


@pytest.fixture
def two_variants(sm, fresh, add_model, add_config, settled):
    """Give an endpoint whose variant `double` has weight 1 and `triple` weight 0."""
    add_model(f"{fresh}-2", "s3://models/double/")
    add_model(f"{fresh}-3", "s3://models/triple/")
    add_config(fresh, ("double", f"{fresh}-2", 1), ("triple", f"{fresh}-3", 0))
    sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
    assert settled(fresh)["EndpointStatus"] == "InService"
    return fresh


def invoke(runtime, name: str, body: bytes, kind: str = JSON, **more) -> tuple[bytes, str]:
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType=kind, Body=body, **more)
    return answer["Body"].read(), answer["InvokedProductionVariant"]


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def rows(*values: float) -> bytes:
    return b'{\n    "predictions": [%b]\n}' % b",".join(str(v).encode() for v in values)


class TestTheWholeStory:
    def test_an_endpoint_is_created_invoked_updated_and_deleted(
        self, sm, runtime, fresh, add_model, add_config, settled, poll_until
    ):
        add_model(f"{fresh}-2", "s3://models/double/")
        add_model(f"{fresh}-3", "s3://models/triple/")
        add_config(f"{fresh}-a", ("main", f"{fresh}-2", 1))
        add_config(f"{fresh}-b", ("main", f"{fresh}-3", 1))
        created = sm.create_endpoint(EndpointName=fresh, EndpointConfigName=f"{fresh}-a")
        assert created["EndpointArn"] == f"{ARN}:endpoint/{fresh}"
        first = settled(fresh)
        assert first["EndpointStatus"] == "InService"
        assert first["ProductionVariants"][0]["CurrentWeight"] == 1.0
        assert first["ProductionVariants"][0]["CurrentInstanceCount"] == 1
        assert invoke(runtime, fresh, b'{"instances": [1, 2]}') == (rows(2.0, 4.0), "main")

        sm.update_endpoint(EndpointName=fresh, EndpointConfigName=f"{fresh}-b")
        second = settled(fresh)
        assert second["EndpointConfigName"] == f"{fresh}-b"
        assert second["LastModifiedTime"] > first["LastModifiedTime"]
        assert invoke(runtime, fresh, b'{"instances": [1, 2]}') == (rows(3.0, 6.0), "main")

        sm.delete_endpoint(EndpointName=fresh)
        with pytest.raises(ClientError, match="Could not find endpoint"):
            poll_until(lambda: sm.describe_endpoint(EndpointName=fresh), lambda _: False)
        sm.delete_endpoint_config(EndpointConfigName=f"{fresh}-a")
        sm.delete_model(ModelName=f"{fresh}-2")
        missing = refused(sm.describe_model, ModelName=f"{fresh}-2")
        assert missing == (
            "ValidationException",
            f'Could not find model "{ARN}:model/{fresh}-2".',
        )

    def test_the_sdk_waiter_sees_the_endpoint_in_service(self, sm, fresh, add_model, add_config):
        add_model(fresh, "s3://models/double/")
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        waiter = sm.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=fresh, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def test_an_endpoint_outlives_its_model_and_configuration(self, sm, runtime, two_variants):
        sm.delete_endpoint_config(EndpointConfigName=two_variants)
        sm.delete_model(ModelName=f"{two_variants}-2")
        assert invoke(runtime, two_variants, b'{"instances": [1]}')[0] == rows(2.0)

    def test_no_request_fails_while_the_endpoint_is_updated(
        self, sm, runtime, two_variants, fresh, add_config, settled
    ):
        add_config(f"{fresh}-n", ("triple", f"{fresh}-3", 1))
        updated = threading.Event()

        def call_until_updated(_) -> set[bytes]:
            seen = set()
            while not updated.is_set():
                seen.add(invoke(runtime, fresh, b'{"instances": [1]}')[0])
            return seen

        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(call_until_updated, range(8))
            try:
                for config in (f"{fresh}-n", fresh) * 3:
                    sm.update_endpoint(EndpointName=fresh, EndpointConfigName=config)
                    settled(fresh)
            finally:
                updated.set()
            assert set().union(*answers) == {rows(2.0), rows(3.0)}

    def test_a_model_archive_serves_like_a_prefix(
        self, clouds, models, sm, runtime, fresh, add_config, settled
    ):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(models / "double", "export/double")
        clouds.make_bucket("archives")
        clouds.aws("s3").put_object(Bucket="archives", Key="m.tar.gz", Body=packed.getvalue())
        container = {"Image": "i", "ModelDataUrl": "s3://archives/m.tar.gz"}
        sm.create_model(ModelName=fresh, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        assert settled(fresh)["EndpointStatus"] == "InService"
        assert invoke(runtime, fresh, b'{"instances": [3]}')[0] == rows(6.0)

    def test_a_container_serves_every_version_and_defaults_to_the_highest(
        self, clouds, models, runtime, sm, fresh, add_model, add_config, settled
    ):
        clouds.upload("several", "m/x/1/", models / "double" / "1")
        clouds.upload("several", "m/x/2/", models / "triple" / "2")
        add_model(fresh, "s3://several/m/")
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        assert settled(fresh)["EndpointStatus"] == "InService"
        body = b'{"instances": [1]}'
        assert invoke(runtime, fresh, body)[0] == rows(3.0)
        older = "tfs-model-name=x,tfs-model-version=1"
        assert invoke(runtime, fresh, body, CustomAttributes=older)[0] == rows(2.0)


class TestTraffic:
    def test_a_weight_of_zero_gets_nothing(self, runtime, two_variants):
        variants = {invoke(runtime, two_variants, b"[1]")[1] for _ in range(20)}
        assert variants == {"double"}

    def test_a_target_variant_is_called_whatever_its_weight(self, runtime, two_variants):
        answer = invoke(runtime, two_variants, b'{"instances": [1]}', TargetVariant="triple")
        assert answer == (rows(3.0), "triple")

    def test_weights_are_shares(self, sm, runtime, two_variants):
        sm.update_endpoint_weights_and_capacities(
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=[
                {"VariantName": "double", "DesiredWeight": 1.0},
                {"VariantName": "triple", "DesiredWeight": 3.0},
            ],
        )
        shown = sm.describe_endpoint(EndpointName=two_variants)["ProductionVariants"]
        weights = {variant["VariantName"]: variant["CurrentWeight"] for variant in shown}
        assert weights == {"double": 1.0, "triple": 3.0}
        drawn = Counter(invoke(runtime, two_variants, b"[1]")[1] for _ in range(200))
        # Three standard deviations of a binomial of 200 draws at 3/4.
        assert abs(drawn["triple"] - 150) <= 19

    def test_serverless_settings_of_instances_are_refused(self, sm, two_variants):
        desired = {"VariantName": "double", "ServerlessUpdateConfig": {"MaxConcurrency": 5}}
        assert refused(
            sm.update_endpoint_weights_and_capacities,
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=[desired],
        ) == ("ValidationException", 'Production variant "double" is not serverless.')

    def test_unknown_variants_change_no_weight(self, sm, two_variants):
        code, message = refused(
            sm.update_endpoint_weights_and_capacities,
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=[
                {"VariantName": "double", "DesiredWeight": 0.0},
                {"VariantName": "other", "DesiredWeight": 1.0},
            ],
        )
        assert code == "ValidationException"
        assert 'Could not find production variant "other"' in message
        shown = sm.describe_endpoint(EndpointName=two_variants)["ProductionVariants"]
        assert shown[0]["CurrentWeight"] == 1.0

    def test_retained_properties_survive_an_update(
        self, sm, two_variants, fresh, add_config, settled
    ):
        add_config(f"{fresh}-n", ("double", f"{fresh}-2", 0), ("triple", f"{fresh}-3", 1))
        sm.update_endpoint(
            EndpointName=fresh, EndpointConfigName=f"{fresh}-n", RetainAllVariantProperties=True
        )
        shown = settled(fresh)["ProductionVariants"]
        assert [variant["CurrentWeight"] for variant in shown] == [1.0, 0.0]


class TestModelsThatDoNotLoad:
    def test_an_endpoint_with_a_broken_model_fails_with_the_reason(
        self, sm, fresh, runtime, add_model, add_config, settled
    ):
        add_model(fresh, "s3://models/broken/")
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        failed = settled(fresh)
        assert failed["EndpointStatus"] == "Failed"
        prefix = "The primary container for production variant main did not pass the ping health"
        assert failed["FailureReason"].startswith(prefix)
        assert len(failed["FailureReason"]) > len(prefix) + len(" check. ")
        assert "ProductionVariants" not in failed
        body = {"EndpointName": fresh, "ContentType": JSON, "Body": b"[1]"}
        assert refused(runtime.invoke_endpoint, **body)[0] == "ValidationError"
        update = {"EndpointName": fresh, "EndpointConfigName": fresh}
        assert "Cannot update failed endpoint" in refused(sm.update_endpoint, **update)[1]
        sm.delete_endpoint(EndpointName=fresh)

    def test_a_tree_without_numbered_folders_holds_no_bundles(
        self, sm, fresh, add_model, add_config, settled
    ):
        add_model(fresh, "s3://models/double/1/")
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        assert settled(fresh)["FailureReason"] == (
            "The primary container for production variant main did not pass the ping health check."
            " no SavedModel bundles found!"
        )

    def test_an_update_that_fails_keeps_what_served(
        self, sm, runtime, two_variants, fresh, add_model, add_config, settled
    ):
        add_model(f"{fresh}-broken", "s3://models/broken/")
        add_config(f"{fresh}-n", ("double", f"{fresh}-2", 1), ("main", f"{fresh}-broken", 1))
        sm.update_endpoint(EndpointName=fresh, EndpointConfigName=f"{fresh}-n")
        kept = settled(fresh)
        assert kept["EndpointStatus"] == "InService"
        assert kept["EndpointConfigName"] == fresh
        assert "production variant main did not pass" in kept["FailureReason"]
        assert invoke(runtime, fresh, b'{"instances": [1]}') == (rows(2.0), "double")

    def test_model_data_that_is_not_there_is_refused_at_once(self, sm, fresh):
        arguments = {
            "ModelName": fresh,
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": prefix_source("s3://models/nothing/"),
        }
        assert refused(sm.create_model, **arguments) == (
            "ValidationException",
            "Could not find model data at s3://models/nothing/.",
        )


class TestInvocations:
    @pytest.mark.parametrize(
        ("kind", "body", "expected"),
        [
            (JSON, b'{"instances": [1, 2]}', (2.0, 4.0)),
            (JSON, b"5", (10.0,)),
            ("text/csv", b"1\n2.5\n", (2.0, 5.0)),
            ("application/json; charset=utf-8", b'{"instances": [1]}', (2.0,)),
        ],
    )
    def test_content_types_are_converted_as_by_the_container(
        self, runtime, two_variants, kind, body, expected
    ):
        assert invoke(runtime, two_variants, body, kind)[0] == rows(*expected)

    def test_columns_come_back_as_outputs(self, runtime, two_variants):
        answer, _ = invoke(runtime, two_variants, b'{"inputs": [1.0]}')
        assert b'"outputs"' in answer

    def test_accept_json_takes_the_newlines_out(self, runtime, two_variants):
        answer, _ = invoke(runtime, two_variants, b'{"instances": [1]}', Accept=JSON)
        assert answer == b'{    "predictions": [2.0]}'

    def test_a_media_type_the_container_does_not_know(self, runtime, two_variants):
        with pytest.raises(ClientError) as caught:
            invoke(runtime, two_variants, b"x", "application/x-image")
        response = caught.value.response
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == 415
        original = '{"error":"Unsupported Media Type: application/x-image"}'
        assert response["OriginalMessage"] == original
        assert response["Error"]["Message"].startswith(
            f'Received client error (415) from primary with message "{original}".'
        )

    def test_an_endpoint_that_is_not_there(self, runtime):
        arguments = {"EndpointName": "nope", "ContentType": JSON, "Body": b"[1]"}
        assert refused(runtime.invoke_endpoint, **arguments) == (
            "ValidationError",
            "Endpoint nope of account 000000000000 not found.",
        )

    def test_a_version_that_is_not_there_is_named_as_in_the_container(self, runtime, two_variants):
        with pytest.raises(runtime.exceptions.ModelError) as caught:
            invoke(runtime, two_variants, b"[1]", CustomAttributes="tfs-model-version=7")
        message = "Servable not found for request: Specific(model, 7)"
        assert json.loads(caught.value.response["OriginalMessage"]) == {"error": message}
        assert caught.value.response["OriginalStatusCode"] == 404

    @pytest.mark.parametrize(
        "asked", ["TargetContainerHostname", "InferenceComponentName", "SessionId"]
    )
    def test_what_would_change_who_answers_is_refused(self, runtime, two_variants, asked):
        with pytest.raises(ClientError, match="is not available offline") as caught:
            invoke(runtime, two_variants, b"[1]", **{asked: "other"})
        assert caught.value.response["Error"]["Code"] == "ValidationError"

    def test_a_variant_that_is_not_there(self, runtime, two_variants):
        arguments = {"EndpointName": two_variants, "ContentType": JSON, "Body": b"[1]"}
        code, message = refused(runtime.invoke_endpoint, **arguments, TargetVariant="other")
        assert (code, message) == (
            "ValidationError",
            f"Variant other not found for endpoint {two_variants}.",
        )

    def test_a_body_past_the_payload_limit(self, runtime, two_variants):
        with pytest.raises(ClientError) as caught:
            invoke(runtime, two_variants, b" " * 6_291_457)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


class TestRefusals:
    def test_taken_names(self, sm, two_variants, add_model, add_config):
        with pytest.raises(ClientError) as caught:
            add_model(f"{two_variants}-2", "s3://models/double/")
        assert caught.value.response["Error"] == {
            "Code": "ValidationException",
            "Message": f'Cannot create already existing model "{ARN}:model/{two_variants}-2".',
        }
        with pytest.raises(ClientError, match="already existing endpoint configuration"):
            add_config(two_variants, ("main", f"{two_variants}-2", 1))
        arguments = {"EndpointName": two_variants, "EndpointConfigName": two_variants}
        assert refused(sm.create_endpoint, **arguments)[1] == (
            f'Cannot create already existing endpoint "{ARN}:endpoint/{two_variants}".'
        )

    def test_a_configuration_needs_models_that_are_there(self, sm, add_config, fresh):
        with pytest.raises(ClientError, match=r'Could not find model "arn:.*:model/nope"'):
            add_config(fresh, ("main", "nope", 1))
        assert refused(sm.describe_endpoint_config, EndpointConfigName=fresh)[1] == (
            f'Could not find endpoint configuration "{ARN}:endpoint-config/{fresh}".'
        )

    def test_a_name_against_the_service_model(self, sm):
        arguments = {"ModelName": "a_b", "PrimaryContainer": prefix_source("s3://models/double/")}
        text = (
            "1 validation error detected: Value 'a_b' at 'modelName' failed to satisfy constraint:"
            " Member must satisfy regular expression pattern:"
            r" [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"
        )
        assert refused(sm.create_model, **arguments) == ("ValidationException", text)

    def test_an_operation_that_is_not_emulated(self, sm):
        assert refused(sm.list_training_jobs) == (
            "UnsupportedOperationException",
            "ListTrainingJobs is not available offline.",
        )


class TestListingsAndTags:
    def test_pages_follow_each_other(self, sm, fresh, add_model):
        wanted = [f"{fresh}-{number}" for number in range(5)]
        for name in wanted:
            add_model(name, "s3://models/double/")
        pages = sm.get_paginator("list_models").paginate(
            NameContains=fresh,
            SortBy="Name",
            SortOrder="Ascending",
            PaginationConfig={"PageSize": 2},
        )
        seen = [[model["ModelName"] for model in page["Models"]] for page in pages]
        assert seen == [wanted[:2], wanted[2:4], wanted[4:]]

    def test_the_newest_comes_first(self, sm, fresh, add_model):
        for number in range(3):
            add_model(f"{fresh}-{number}", "s3://models/double/")
        found = sm.list_models(NameContains=fresh)["Models"]
        assert [model["ModelName"][-1] for model in found] == ["2", "1", "0"]

    def test_endpoints_are_listed_by_status(self, sm, two_variants):
        found = sm.list_endpoints(NameContains=two_variants, StatusEquals="InService")["Endpoints"]
        assert [endpoint["EndpointName"] for endpoint in found] == [two_variants]
        failed = sm.list_endpoints(NameContains=two_variants, StatusEquals="Failed")
        assert failed["Endpoints"] == []

    def test_tags_are_added_listed_and_removed(self, sm, fresh):
        sm.create_model(
            ModelName=fresh,
            ExecutionRoleArn=ROLE,
            PrimaryContainer=prefix_source("s3://models/double/"),
            Tags=[{"Key": "digest", "Value": "abc"}],
        )
        arn = f"{ARN}:model/{fresh}"
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": "revision", "Value": "v1 é"}])
        assert sm.list_tags(ResourceArn=arn)["Tags"] == [
            {"Key": "digest", "Value": "abc"},
            {"Key": "revision", "Value": "v1 é"},
        ]
        sm.delete_tags(ResourceArn=arn, TagKeys=["digest"])
        assert [tag["Key"] for tag in sm.list_tags(ResourceArn=arn)["Tags"]] == ["revision"]

    def test_tags_of_nothing_are_refused(self, sm):
        arn = f"{ARN}:model/nope"
        assert refused(sm.list_tags, ResourceArn=arn) == (
            "ValidationException",
            f'Could not find resource "{arn}".',
        )

    def test_regions_are_apart(self, clouds, sm, fresh, add_model):
        add_model(fresh, "s3://models/double/")
        import boto3

        west = boto3.client(
            "sagemaker",
            endpoint_url=clouds.url,
            region_name="eu-west-1",
            aws_access_key_id="cloudserve",
            aws_secret_access_key="cloudserve",
        )
        assert refused(west.describe_model, ModelName=fresh)[1] == (
            f'Could not find model "arn:aws:sagemaker:eu-west-1:000000000000:model/{fresh}".'
        )


def test_sts_names_the_offline_account(clouds):
    assert clouds.aws("sts").get_caller_identity()["Account"] == "000000000000"
