"""The offline AWS compared with botocore's model, moto, and wire examples of its clients."""

from __future__ import annotations

import io
import json
import tarfile
from http.client import HTTPConnection

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from cloudserve.local_server.clouds.aws.protocol.validation import compiled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"

MODELS = {
    name: ServiceModel(Loader().load_service_model(name, "service-2"))
    for name in ("sagemaker", "sagemaker-runtime", "cloudwatch")
}
OPERATIONS = (
    "CreateModel", "DescribeModel", "ListModels", "DeleteModel",
    "CreateEndpointConfig", "DescribeEndpointConfig", "ListEndpointConfigs",
    "DeleteEndpointConfig", "CreateEndpoint", "DescribeEndpoint", "ListEndpoints",
    "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities", "DeleteEndpoint",
    "CreateTransformJob", "DescribeTransformJob", "ListTransformJobs", "StopTransformJob",
    "CreateModelPackageGroup", "DescribeModelPackageGroup", "ListModelPackageGroups",
    "DeleteModelPackageGroup", "CreateModelPackage", "DescribeModelPackage",
    "UpdateModelPackage", "ListModelPackages", "DeleteModelPackage",
    "AddTags", "ListTags", "DeleteTags",
)  # fmt: skip
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
PLAIN = st.none() | st.booleans() | st.integers(-10, 5000) | st.floats(0, 9) | st.text(max_size=8)


@pytest.fixture(scope="module")
def wire(clouds):
    connection = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)
    yield connection
    connection.close()


def post(wire, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    wire.request("POST", path, body, named)
    answer = wire.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def control(wire, operation: str, body: bytes, service: str = "SageMaker."):
    kind = "application/x-amz-json-1.1"
    return post(wire, "/", body, X_Amz_Target=f"{service}{operation}", Content_Type=kind)


def values(shape, depth: int = 0) -> st.SearchStrategy:  # noqa: PLR0911 - one for each type
    """Draw a value of a shape that sometimes violates its constraints."""
    match shape.type_name:
        case "structure" if depth < 4:
            members = {n: values(m, depth + 1) for n, m in shape.members.items()}
            needed = {n: s for n, s in members.items() if n in shape.required_members}
            rest = {n: s for n, s in members.items() if n not in needed}
            whole = st.fixed_dictionaries(needed, optional=rest)
            return st.one_of(whole, whole, whole, PLAIN)
        case "list" if depth < 4:
            return st.lists(values(shape.member, depth + 1), max_size=2)
        case "map" if depth < 4:
            return st.dictionaries(st.text(max_size=4), values(shape.value, depth + 1), max_size=2)
        case "string" if "enum" in shape.metadata:
            return st.sampled_from(shape.metadata["enum"]) | st.text(max_size=3)
        case "string":
            names = ["m", "e", "s3://models/double/", "s3://models/x", f"{ARN}:model/m", "$"]
            return st.sampled_from(names) | st.text(max_size=4)
        case "integer" | "long":
            return st.integers(-1, 6000)
        case "float" | "double":
            return st.floats(-1, 100)
        case "boolean":
            return st.booleans()
        case _:
            return PLAIN


class TestAgainstTheModel:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_whatever_is_asked_is_answered_or_refused_in_form(self, wire, operation):
        shape = MODELS["sagemaker"].operation_model(operation).input_shape

        @settings(
            max_examples=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(values(shape) | PLAIN)
        def ask(value) -> None:
            status, headers, body = control(wire, operation, json.dumps(value).encode())
            assert status in {200, 400}, (value, body)
            assert headers["content-type"] == "application/x-amz-json-1.1"
            if status == 400:
                assert json.loads(body)["__type"].endswith("Exception")

        ask()

    @given(st.binary(max_size=40))
    def test_no_body_breaks_it(self, wire, body):
        status, _, answer = control(wire, "CreateModel", body)
        assert (status, json.loads(answer)["__type"][-9:]) == (400, "Exception")

    @pytest.mark.parametrize("operation", sorted(MODELS["sagemaker-runtime"].operation_names))
    def test_whatever_headers_an_invocation_has_it_is_answered_or_refused_in_form(
        self, wire, endpoint, operation
    ):
        model = MODELS["sagemaker-runtime"].operation_model(operation)
        path = model.http["requestUri"].replace("{EndpointName}", endpoint)
        names = [
            member.serialization["name"]
            for member in model.input_shape.members.values()
            if member.serialization.get("location") == "header"
        ]
        # What HTTP lets into a header's value at all.
        texts = st.text(st.characters(codec="latin-1", exclude_categories=["C", "Z"]), max_size=8)

        @settings(max_examples=60, deadline=None)
        @given(st.dictionaries(st.sampled_from(names), texts), st.binary(max_size=9))
        def ask(headers, body) -> None:
            status, answered, text = post(wire, path, body, **headers)
            assert status in {200, 202, 400, 424}, text
            if status >= 400:
                assert answered["x-amzn-errortype"] in {"ValidationError", "ModelError"}
                assert json.loads(text)["Message"]

        ask()

    @given(st.from_regex(r"[A-Za-z]{0,30}", fullmatch=True))
    def test_an_unknown_operation(self, wire, operation):
        if operation in MODELS["sagemaker"].operation_names:
            return
        status, _, body = control(wire, operation, b"{}")
        assert (status, json.loads(body)) == (
            400,
            {
                "__type": "UnknownOperationException",
                "message": f"The operation {operation} is not recognized by the service.",
            },
        )

    def test_every_pattern_of_the_models_is_understood_but_one(self):
        anything = compiled(r"[\p{Unheard}]")
        result = {
            name
            for model in MODELS.values()
            for name in model.shape_names
            if (shape := model.shape_for(name)).type_name == "string"
            and compiled(shape.metadata.get("pattern", "x")) is anything
        }
        # Their one pattern counts in UTF-16; no operation that is offered takes one.
        assert result == {"AthenaCatalog", "Catalog", "Database", "TableName"}


@pytest.fixture(scope="module")
def endpoint(aws):
    """Provide an endpoint that doubles, with the variant v2."""
    aws.add_model("wire", "s3://models/double/")
    aws.add_config("wire", aws.variant("v2", "wire"))
    aws.add_endpoint("wire")
    return "wire"


class TestWireExamples:
    """Wire examples of boto3's requests and responses, byte for byte where they are fixed."""

    def test_create_model(self, wire, models, aws):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            archive.add(models / "double", "m")
        aws.s3.put_object(Bucket="models", Key="m.tar.gz", Body=content.getvalue())
        request = {
            "ModelName": "m",
            "ExecutionRoleArn": "arn:aws:iam::000000000000:role/x",
            "PrimaryContainer": {
                "Image": IMAGE,
                "ModelDataUrl": "s3://models/m.tar.gz",
            },
        }
        status, headers, body = control(wire, "CreateModel", json.dumps(request).encode())
        assert (status, json.loads(body)) == (200, {"ModelArn": f"{ARN}:model/m"})
        assert headers["content-type"] == "application/x-amz-json-1.1"
        assert len(headers["x-amzn-requestid"]) == 36
        shown = json.loads(control(wire, "DescribeModel", b'{"ModelName":"m"}')[2])
        assert isinstance(shown["CreationTime"], float)
        status, _, body = control(wire, "DeleteModel", b'{"ModelName":"m"}')
        assert (status, body) == (200, b"")
        aws.s3.delete_object(Bucket="models", Key="m.tar.gz")

    def test_a_missing_endpoint(self, wire):
        status, _, body = control(wire, "DescribeEndpoint", b'{"EndpointName":"nope"}')
        message = f'Could not find endpoint "{ARN}:endpoint/nope".'
        expected = {"__type": "ValidationException", "message": message}
        assert (status, json.loads(body)) == (400, expected)

    def test_an_invocation(self, wire, endpoint):
        status, headers, body = post(
            wire,
            f"/endpoints/{endpoint}/invocations",
            b'{"instances": [1]}',
            Content_Type="application/json",
            Accept="application/json",
            X_Amzn_SageMaker_Custom_Attributes="tfs-model-name=model",
            X_Amzn_SageMaker_Target_Variant="v2",
            X_Amzn_SageMaker_Inference_Id="i1",
        )
        assert (status, body) == (200, b'{    "predictions": [2.0]}')
        assert headers["content-type"] == "application/json"
        assert headers["x-amzn-invoked-production-variant"] == "v2"
        assert "x-amzn-requestid" in headers

    def test_an_invocation_without_a_type_is_the_containers_415(self, wire, endpoint):
        status, headers, body = post(wire, f"/endpoints/{endpoint}/invocations", b"[1]")
        answer = json.loads(body)
        assert (status, headers["x-amzn-errortype"]) == (424, "ModelError")
        assert (answer["ErrorCode"], answer["OriginalStatusCode"]) == (
            "CLIENT_ERROR_FROM_MODEL",
            415,
        )
        assert answer["OriginalMessage"] == '{"error":"Unsupported Media Type: Unknown"}'
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        assert answer["LogStreamArn"].endswith(f"log-group:{group}")

    def test_an_invocation_of_a_missing_endpoint(self, wire):
        status, headers, body = post(wire, "/endpoints/nope/invocations", b"[1]")
        assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError")
        message = "Endpoint nope of account 000000000000 not found."
        assert json.loads(body) == {"Message": message}


@pytest.fixture(scope="module")
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "sagemaker",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0}),
    )
    server.stop()


# Members that one of the two has alone, and why it is right as it is.
OURS_ALONE = {
    "DeployedImages": "moto knows no images",
    "EnableNetworkIsolation": "ours is as it was asked",
}
MOTOS_ALONE = {
    "VpcConfig": "moto shows null where nothing was asked; the service leaves it out",
    "DataCaptureConfig": "likewise",
    "AsyncInferenceConfig": "likewise",
    "KmsKeyId": "likewise",
    "Containers": "moto shows an empty list beside PrimaryContainer; the service leaves it out",
    "Tags": "moto shows them; DescribeModel and the others have no such member",
    "EnableNetworkIsolation": "moto shows null where nothing was asked",
    "InitialVariantWeight": "moto keeps it in the endpoint's variants; the API's has none",
    "InstanceType": "likewise",
    "ModelName": "likewise",
    "InitialInstanceCount": "likewise",
}


def outline(value, *, drop: set[str]) -> object:
    """Return the comparable members and texts, without times and account numbers."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in drop and k != "ResponseMetadata"}
        return {k: outline(v, drop=drop) for k, v in kept.items()}
    if isinstance(value, list):
        return [outline(item, drop=drop) for item in value]
    if isinstance(value, str):
        return value.replace("123456789012", "000000000000")
    return value if isinstance(value, bool | int | float) else type(value).__name__


class TestAgainstMoto:
    def tell(self, sm, name: str) -> list[object]:
        """Run the same calls against either service and return the answers."""
        container = {
            "Image": IMAGE,
            "ModelDataUrl": "s3://models/moto.tar.gz",
        }
        variant = {
            "VariantName": "v",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": 1.0,
        }
        role = "arn:aws:iam::000000000000:role/x"
        lines = [
            sm.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container),
            sm.describe_model(ModelName=name),
            sm.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant]),
            sm.describe_endpoint_config(EndpointConfigName=name),
            sm.list_models(NameContains=name),
            sm.list_endpoint_configs(NameContains=name),
            sm.create_model_package_group(ModelPackageGroupName=name),
            sm.list_tags(ResourceArn=f"{ARN}:model/{name}"),
        ]
        drop = set(OURS_ALONE) | set(MOTOS_ALONE) - {"ModelName"}
        return [outline(answer, drop=drop) for answer in lines]

    def test_both_answer_alike(self, aws, moto, fresh):
        aws.s3.put_object(Bucket="models", Key="moto.tar.gz", Body=b"looked at when it is loaded")
        ours, theirs = self.tell(aws.sm, fresh), self.tell(moto, fresh)
        for own, other in zip(ours, theirs, strict=True):
            assert own == other

    @pytest.mark.parametrize(
        ("operation", "argument"),
        [
            ("describe_model", "ModelName"),
            ("describe_endpoint", "EndpointName"),
            ("describe_endpoint_config", "EndpointConfigName"),
        ],
    )
    def test_both_reject_missing_resources_alike(self, aws, moto, operation, argument):
        def refusal(sm) -> tuple[str, str]:
            with pytest.raises(ClientError) as caught:
                getattr(sm, operation)(**{argument: "nobody"})
            error = caught.value.response["Error"]
            message = error["Message"].replace("123456789012", "000000000000")
            return error["Code"], message.rstrip(".").replace("'", '"').lower()

        own, other = refusal(aws.sm), refusal(moto)
        assert own[0] == other[0] == "ValidationException"
        # moto quotes otherwise, or not at all.
        assert own[1].replace('"', "") == other[1].replace('"', "")
