"""Every operation of the SDKs' models is answered by its own handler, or refused by its name."""

from __future__ import annotations

import importlib.util
import json
import re
from http.client import HTTPConnection
from pathlib import Path

import boto3
import googleapiclient.discovery_cache
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from cloudserve.cli.servers.variables import VARIABLES_TO_UNSET

DOCS = Path(__file__).parents[3] / "docs"
TARGETS = {
    "sagemaker": "SageMaker.",
    "cloudwatch": "GraniteServiceVersion20100801.",
    "logs": "Logs_20140328.",
    "ecr": "AmazonEC2ContainerRegistry_V20150921.",
    "application-autoscaling": "AnyScaleFrontendService.",
    "service-quotas": "ServiceQuotasV20190624.",
}
QUERIES = ("sts", "iam", "sns")
SCOPE = "AWS4-HMAC-SHA256 Credential=a/20261121/us-east-1/{}/aws4_request, SignedHeaders=host"
GOOGLE = {
    "aiplatform": "v1",
    "cloudresourcemanager": "v3",
    "iamcredentials": "v1",
    "logging": "v2",
    "monitoring": "v3",
    "storage": "v1",
    "ml": "v1",
}
REFUSALS = ("Method not found", "not available offline", "No offline service answers")
OTHER_HOSTS = {"WriteGetObjectResponse"}
"""Botocore puts something before the host, which then is not the emulator's."""


@pytest.fixture(scope="module")
def offered(clouds):
    return {each.service: each for each in clouds.emulator.offers()}


@pytest.fixture(scope="module")
def ask(clouds):
    connection = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)

    def send(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield send
    connection.close()


def operations(service: str) -> set[str]:
    return set(ServiceModel(Loader().load_service_model(service, "service-2")).operation_names)


def test_the_reference_page_is_up_to_date(clouds):
    path = DOCS / "write_offline_operations.py"
    spec = importlib.util.spec_from_file_location("write_operations", path)
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    page = (DOCS / "reference" / "offline-operations.md").read_text()
    if page != writer.render(clouds.emulator.offers()):
        pytest.fail("docs/reference/offline-operations.md is not what is offered: run `make docs`")


def test_the_endpoint_of_each_service_is_unset_in_a_users_shell(offered):
    known = {*Loader().list_available_services("service-2")} & {*offered}
    services = (ServiceModel(Loader().load_service_model(each, "service-2")) for each in known)
    names = {each.metadata["serviceId"].replace(" ", "_").upper() for each in services}
    assert {f"AWS_ENDPOINT_URL_{name}" for name in names} <= {*VARIABLES_TO_UNSET}


@pytest.mark.parametrize("service", TARGETS)
def test_every_operation_of_a_json_service_is_answered_or_refused_by_name(service, offered, ask):
    known, treated = operations(service), set(offered[service].treatments())
    assert treated <= known
    for name in sorted(known):
        _, text = ask("POST", "/", b"{}", X_Amz_Target=f"{TARGETS[service]}{name}")
        refused = json.loads(text or "{}").get("__type") == "UnsupportedOperationException"
        assert refused == (name not in treated), (name, text)
        assert not refused or f"{name} is not available offline" in text


@pytest.mark.parametrize("service", QUERIES)
def test_every_operation_of_a_query_service_is_answered_or_refused_by_name(service, offered, ask):
    known, treated = operations(service), set(offered[service].treatments())
    assert treated <= known
    for name in sorted(known):
        form = f"Action={name}&Version=2010-05-08".encode()
        _, text = ask("POST", "/", form, Authorization=SCOPE.format(service))
        refused = f"The action {name} is not available offline." in text
        assert refused == (name not in treated), (name, text)


def route(operation) -> tuple[str, str]:
    """Return what a request looks like: old names of operations have that of the new one."""
    return operation.http["method"], operation.http["requestUri"]


def value(shape, name=""):
    """Return the least valid value of a shape."""
    match shape.type_name:
        case "structure":
            one = list(shape.members)[:1] if shape.is_tagged_union else []
            needed = shape.required_members or one
            return {each: value(shape.members[each], each) for each in needed}
        case "list":
            return [value(shape.member)]
        case "string":
            named = {"Bucket": "offered", "Key": "object", "CopySource": "offered/object"}
            return named.get(name) or (shape.metadata.get("enum") or ["x"])[0]
        case "blob":
            return b"x"
        case "boolean":
            return True
        case _:
            return 1


@pytest.fixture
def s3(clouds):
    """Give a client, beside a bucket with an object."""
    client = boto3.client(
        "s3",
        endpoint_url=clouds.url,
        aws_access_key_id="cloudserve",
        aws_secret_access_key="cloudserve",
        region_name="us-east-1",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    client.create_bucket(Bucket="offered")
    client.put_object(Bucket="offered", Key="object", Body=b"as it was")
    return client


def test_every_other_operation_of_s3_is_refused_and_touches_no_object(s3, offered):
    # A client changes the URIs of its own model.
    model = ServiceModel(Loader().load_service_model("s3", "service-2"))
    performed = offered["s3"].performed
    answered = {route(model.operation_model(name)) for name in performed}
    for name in sorted(operations("s3") - OTHER_HOSTS):
        operation = model.operation_model(name)
        if route(operation) in answered:
            continue
        fields = value(operation.input_shape) if operation.input_shape else {}
        with pytest.raises((ClientError, EndpointConnectionError)) as caught:
            s3._make_api_call(name, fields)
        if isinstance(caught.value, ClientError):
            answer = caught.value.response
            code, status = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
            refused = code in {"NotImplemented", "UnsupportedOperationException"}
            assert refused or status == 501, (name, answer)
        body = s3.get_object(Bucket="offered", Key="object")["Body"].read()
        assert body == b"as it was", name


@pytest.mark.parametrize("query", ["annotation", "annotation&annotationName=a", "notYetKnown"])
def test_s3_takes_a_bare_parameter_for_another_operation(query, s3, ask):
    for method in ("GET", "PUT", "DELETE"):
        status, text = ask(
            method, f"/offered/object?{query}", b"", Authorization=SCOPE.format("s3")
        )
        assert (status, query.partition("&")[0] in text) == (501, True), text
    assert s3.get_object(Bucket="offered", Key="object")["Body"].read() == b"as it was"


def test_s3_ignores_parameters_with_values_as_the_service_does(s3, ask):
    for query in ("x=1", "prefix", "x-id=GetObject", ""):
        status, _ = ask("GET", f"/offered/object?{query}", Authorization=SCOPE.format("s3"))
        assert status == 200, query


def methods(resource):
    yield from resource.get("methods", {}).values()
    for nested in resource.get("resources", {}).values():
        yield from methods(nested)


def path_of(document, method) -> str:
    def name(match: re.Match[str]) -> str:
        pattern = method["parameters"][match[1]].get("pattern", "^x$").strip("^$")
        pattern = pattern.replace("[^/]+/[^/]+", "projects/x")
        return pattern.replace("[^/]+", "x").replace(".*", "x")

    upload = method.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path")
    template = upload or f"/{document['servicePath']}{method['path']}"
    return re.sub(r"\{\+?(\w+)\}", name, template).replace("locations/x", "locations/us-central1")


@pytest.mark.parametrize("service", GOOGLE)
def test_every_method_of_a_google_service_is_answered_or_refused_by_name(service, offered, ask):
    folder = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
    document = json.loads((folder / f"{service}.{GOOGLE[service]}.json").read_bytes())
    found = {method["id"]: method for method in methods(document)}
    treated = set(offered[service].treatments())
    assert treated <= found.keys()
    for name, method in found.items():
        path = path_of(document, method)
        # On one port, Vertex AI's paths are those with a location of a project.
        if service in {"aiplatform", "ml"} and ("/locations/" in path) != (service == "aiplatform"):
            continue
        if path.startswith("/upload/v1/"):  # files of Vertex AI's RAG corpora
            continue
        body = b"" if method["httpMethod"] in {"GET", "DELETE"} else b"{}"
        status, text = ask(method["httpMethod"], path, body, Content_Type="application/json")
        refused = status == 501 or any(words in text for words in REFUSALS)
        # `projects.logs.list` has the path of `logs.list`, whose handler answers both.
        is_treated = name in treated or name.replace("logging.projects.", "logging.") in treated
        assert refused == (not is_treated), (name, path, text)


def test_lists_of_what_nobody_can_create_are_empty(clouds):
    sagemaker = clouds.aws("sagemaker")
    assert sagemaker.list_training_jobs(NameContains="x")["TrainingJobSummaries"] == []
    assert sagemaker.list_notebook_instances()["NotebookInstances"] == []
    pages = sagemaker.get_paginator("list_pipelines").paginate()
    assert list(pages.search("PipelineSummaries")) == []


@pytest.mark.parametrize(
    ("operation", "fields", "code"),
    [
        # The service itself has such items, or they are below something that does not exist.
        ("list_hubs", {}, "UnsupportedOperationException"),
        ("list_contexts", {}, "UnsupportedOperationException"),
        ("list_model_card_export_jobs", {"ModelCardName": "x"}, "UnsupportedOperationException"),
        ("list_training_jobs", {"NextToken": "from elsewhere"}, "ValidationException"),
        ("list_training_jobs", {"MaxResults": 101}, "ValidationException"),
    ],
)
def test_other_lists_are_not_taken_for_empty(clouds, operation, fields, code):
    with pytest.raises(ClientError) as caught:
        getattr(clouds.aws("sagemaker"), operation)(**fields)
    assert caught.value.response["Error"]["Code"] == code


def test_a_refusal_says_why_where_users_expect_the_operation(clouds):
    with pytest.raises(ClientError, match="cloudserve serves models, and trains none"):
        clouds.aws("sagemaker").create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="j",
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            },
        )
