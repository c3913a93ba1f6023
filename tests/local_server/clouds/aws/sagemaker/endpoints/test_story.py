"""SageMaker endpoints for boto3: life cycle, traffic, and models that fail to load."""

from __future__ import annotations

import io
import tarfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import (
    JSON,
    ROLE,
    invoke,
    prefix_source,
    refusal,
    rows,
)

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"

ARN = "arn:aws:sagemaker:us-east-1:000000000000"


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
        missing = refusal(sm.describe_model, ModelName=f"{fresh}-2")
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
            observed = set()
            while not updated.is_set():
                observed.add(invoke(runtime, fresh, b'{"instances": [1]}')[0])
            return observed

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
        container = {
            "Image": IMAGE,
            "ModelDataUrl": "s3://archives/m.tar.gz",
        }
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

    def test_weights_are_shares(self, sm, runtime, two_variants, settled):
        sm.update_endpoint_weights_and_capacities(
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=[
                {"VariantName": "double", "DesiredWeight": 1.0},
                {"VariantName": "triple", "DesiredWeight": 3.0},
            ],
        )
        shown = settled(two_variants)["ProductionVariants"]
        weights = {variant["VariantName"]: variant["CurrentWeight"] for variant in shown}
        assert weights == {"double": 1.0, "triple": 3.0}
        drawn = Counter(invoke(runtime, two_variants, b"[1]")[1] for _ in range(200))
        # Three standard deviations of a binomial of 200 draws at 3/4.
        assert abs(drawn["triple"] - 150) <= 19

    def test_an_endpoint_is_updating_until_its_weights_are_changed(self, sm, two_variants, settled):
        """UpdateEndpointWeightsAndCapacities: "SageMaker sets the endpoint status to Updating"."""
        change = {"VariantName": "triple", "DesiredWeight": 1.0, "DesiredInstanceCount": 2}
        again = {"EndpointName": two_variants, "DesiredWeightsAndCapacities": [change]}
        sm.update_endpoint_weights_and_capacities(**again)
        update = {"EndpointName": two_variants, "EndpointConfigName": two_variants}
        for call, arguments in (
            (sm.update_endpoint_weights_and_capacities, again),
            (sm.update_endpoint, update),
            (sm.delete_endpoint, {"EndpointName": two_variants}),
        ):
            code, message = refusal(call, **arguments)
            assert (code, message[:33]) == (
                "ValidationException",
                "Cannot update in-progress endpoin",
            )
        shown = sm.describe_endpoint(EndpointName=two_variants)
        assert shown["EndpointStatus"] == "Updating"
        variant = shown["ProductionVariants"][1]
        assert (variant["CurrentWeight"], variant["DesiredWeight"]) == (0.0, 1.0)
        assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 2)
        variant = settled(two_variants)["ProductionVariants"][1]
        assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 2)

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ([{"VariantName": "double", "DesiredInstanceCount": 0}], "only an asynchronous"),
            ([{"VariantName": "double"}, {"VariantName": "double"}], "names must be unique"),
        ],
    )
    def test_changes_that_no_endpoint_can_have_are_refused(self, sm, two_variants, changes, text):
        code, message = refusal(
            sm.update_endpoint_weights_and_capacities,
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=changes,
        )
        assert code == "ValidationException"
        assert text in message
        shown = sm.describe_endpoint(EndpointName=two_variants)
        assert shown["EndpointStatus"] == "InService"

    def test_serverless_settings_of_instances_are_refused(self, sm, two_variants):
        desired = {"VariantName": "double", "ServerlessUpdateConfig": {"MaxConcurrency": 5}}
        assert refusal(
            sm.update_endpoint_weights_and_capacities,
            EndpointName=two_variants,
            DesiredWeightsAndCapacities=[desired],
        ) == ("ValidationException", 'Production variant "double" is not serverless.')

    def test_unknown_variants_change_no_weight(self, sm, two_variants):
        code, message = refusal(
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

    def test_data_capture_cannot_be_excluded_from_what_is_retained(self, sm, two_variants):
        shown = sm.describe_endpoint(EndpointName=two_variants)
        assert refusal(
            sm.update_endpoint,
            EndpointName=two_variants,
            EndpointConfigName=shown["EndpointConfigName"],
            RetainAllVariantProperties=True,
            ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DataCaptureConfig"}],
        ) == (
            "ValidationException",
            "The variant property type DataCaptureConfig is not currently supported.",
        )


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
        assert refusal(runtime.invoke_endpoint, **body)[0] == "ValidationError"
        update = {"EndpointName": fresh, "EndpointConfigName": fresh}
        assert "Cannot update failed endpoint" in refusal(sm.update_endpoint, **update)[1]
        sm.delete_endpoint(EndpointName=fresh)

    def test_a_folder_that_the_console_made_fails_the_endpoint(
        self, aws, sm, models, fresh, add_model, add_config, settled
    ):
        aws.s3.create_bucket(Bucket=fresh)
        for path in (models / "double").rglob("*"):
            if path.is_file():
                key = f"m/{path.relative_to(models / 'double')}"
                aws.s3.upload_file(str(path), fresh, key)
        aws.s3.put_object(Bucket=fresh, Key="m/1/variables/")
        add_model(fresh, f"s3://{fresh}/m/")
        add_config(fresh, ("main", fresh, 1))
        sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        failed = settled(fresh)
        assert failed["EndpointStatus"] == "Failed"
        assert f"s3://{fresh}/m/1/variables/ is an empty object" in failed["FailureReason"]
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

    def test_missing_model_data_is_rejected_immediately(self, sm, fresh):
        arguments = {
            "ModelName": fresh,
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": prefix_source("s3://models/nothing/"),
        }
        assert refusal(sm.create_model, **arguments) == (
            "ValidationException",
            "Could not find model data at s3://models/nothing/.",
        )
