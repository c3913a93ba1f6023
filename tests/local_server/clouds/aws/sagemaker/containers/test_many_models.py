"""Multi-model endpoints and the user's code in an endpoint."""

from __future__ import annotations

import pytest

from tests.local_server.clouds.aws.conftest import DOUBLED, TRIPLED, packed, refused


class TestManyModels:
    @pytest.fixture
    def many(self, aws, fresh, models):
        """Provide a multi-model endpoint with room for two, and three models below its prefix."""
        aws.running.make_bucket(fresh)
        for key, folder in (
            ("a.tar.gz", "double"),
            ("b.tar.gz", "triple"),
            ("c/d.tar.gz", "double"),
        ):
            aws.s3.put_object(Bucket=fresh, Key=f"m/{key}", Body=packed(models / folder))
        aws.s3.put_object(Bucket=fresh, Key="m/bad.tar.gz", Body=b"no archive")
        room_for_two = {"SAGEMAKER_SAFE_PORT_RANGE": "1000-1005"}
        aws.add_multi_model(fresh, f"s3://{fresh}/m", Environment=room_for_two)
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.add_endpoint(fresh)
        return fresh

    def test_each_request_names_its_model_and_the_oldest_makes_room(self, aws, many):
        for target, expected in (
            ("a.tar.gz", DOUBLED),
            ("/b.tar.gz", TRIPLED),
            ("c/d.tar.gz", DOUBLED),
            ("a.tar.gz", DOUBLED),
        ):
            assert aws.invoke(many, TargetModel=target) == expected

    def test_a_missing_model(self, aws, many):
        response = refused(aws.invoke, name=many, TargetModel="nope.tar.gz")
        assert response["Error"] == {
            "Code": "ValidationError",
            "Message": f"Failed to download model data(bucket: {many}, key: m/nope.tar.gz). Please"
            " ensure that there is an object located at the URL and that the role passed to"
            " CreateModel has permissions to download the model.",
        }

    def test_a_model_that_is_not_an_archive_does_not_harm_others(self, aws, many):
        response = refused(aws.invoke, name=many, TargetModel="bad.tar.gz")
        assert "the model archive cannot be extracted" in response["Error"]["Message"]
        assert aws.invoke(many, TargetModel="a.tar.gz") == DOUBLED

    def test_a_request_has_to_name_one(self, aws, many):
        message = refused(aws.invoke, name=many)["Error"]["Message"]
        assert message.endswith("the target model header is required.")

    def test_other_endpoints_take_no_target(self, aws, doubling):
        assert refused(aws.invoke, name=doubling, TargetModel="a.tar.gz")["Error"] == {
            "Code": "ValidationError",
            "Message": f"Endpoint {doubling} is not a multi-model endpoint and does not support"
            " target model header.",
        }


class TestTheUsersCode:
    @pytest.fixture
    def raising(self, aws, fresh, models, tmp_path):
        """Provide an endpoint whose inference.py raises what it is sent."""
        (tmp_path / "inference.py").write_text(
            "def handler(data, context):\n    raise ValueError(data.read().decode())\n"
        )
        aws.running.upload("code", f"{fresh}/", models / "double")
        aws.s3.upload_file(str(tmp_path / "inference.py"), "code", f"{fresh}/code/inference.py")
        aws.add_model(fresh, f"s3://code/{fresh}/")
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.add_endpoint(fresh)
        return fresh

    def test_an_exception_of_the_container_is_the_original_message(self, aws, raising):
        response = refused(aws.invoke, name=raising, body=b"oh no")
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == 500
        assert response["OriginalMessage"] == '{"error": "oh no"}'
        group = f"/aws/sagemaker/Endpoints/{raising}"
        assert response["LogStreamArn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
        assert response["Error"]["Message"] == (
            'Received server error (500) from primary with message "{"error": "oh no"}". See'
            " https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
            f"#logEventViewer:group={group} in account 000000000000 for more information."
        )

    def test_a_script_that_cannot_be_imported_fails_the_endpoint(
        self, aws, fresh, models, tmp_path
    ):
        (tmp_path / "inference.py").write_text("import no_such_module_at_all")
        aws.running.upload("code", f"{fresh}/", models / "double")
        aws.s3.upload_file(str(tmp_path / "inference.py"), "code", f"{fresh}/code/inference.py")
        aws.add_model(fresh, f"s3://code/{fresh}/")
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
        failed = aws.settled(fresh)
        assert failed["EndpointStatus"] == "Failed"
        assert "No module named 'no_such_module_at_all'" in failed["FailureReason"]
