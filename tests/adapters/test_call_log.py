"""The log of calls: operations, URLs without their queries, statuses, durations; nothing secret."""

import logging
import re

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cloudserve.adapters.call_log import log_botocore, log_requests, logged

UNUSED = "http://127.0.0.1:9"


@pytest.fixture
def lines(caplog):
    """Return the lines that are logged, without their durations."""
    caplog.set_level(logging.DEBUG, logger="cloudserve.adapters.call_log")

    def read():
        return [re.sub(r"in [0-9]+ ms", "in T", record.getMessage()) for record in caplog.records]

    return read


def client_of(service, url):
    client = boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIDSECRET",
        aws_secret_access_key="hidden",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )
    log_botocore(client)
    return client


def test_an_operation_of_aws_has_its_name_status_error_and_request(clouds, lines):
    sagemaker = client_of("sagemaker", clouds["AWS_ENDPOINT_URL"])
    sagemaker.list_models()
    with pytest.raises(ClientError):
        sagemaker.describe_model(ModelName="none")
    done, failed = lines()
    assert re.fullmatch(r"SageMaker ListModels: 200 in T \(request [-0-9a-f]{36}\)", done)
    assert failed.startswith("SageMaker DescribeModel: 400 ValidationException in T (request ")


def test_a_call_without_an_answer_has_the_name_of_its_error(lines):
    with pytest.raises(BotoCoreError):
        client_of("sagemaker", UNUSED).list_models()
    assert lines() == ["SageMaker ListModels: EndpointConnectionError in T"]


def test_a_url_is_logged_without_its_query_password_and_headers(clouds, lines):
    url = clouds["AWS_ENDPOINT_URL"].replace("://", "://user:SECRET@")
    with requests.Session() as session:
        log_requests(session)
        session.get(
            f"{url}/storage/v1/b?project=p&key=SECRET",
            headers={"X-Key": "SECRET"},
        )
    (line,) = lines()
    assert re.fullmatch(r"GET http://127\.0\.0\.1:[0-9]+/storage/v1/b: 200 in T", line)


def test_a_failed_call_has_its_status(lines):
    class RefusedError(Exception):
        status_code = 403

    with pytest.raises(RefusedError), logged("ml.projects.models.get"):
        raise RefusedError
    assert lines() == ["ml.projects.models.get: 403 in T"]
