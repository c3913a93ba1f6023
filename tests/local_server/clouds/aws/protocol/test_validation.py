from __future__ import annotations

import json

import pytest
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from cloudserve.local_server.clouds.aws.protocol.validation import ServiceModel, check
from hypothesis import given
from hypothesis import strategies as st

MODEL = ServiceModel("sagemaker")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


def refused(operation: str, body: object) -> tuple[str, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(AwsError) as caught:
        check(MODEL.input_shape(operation), content)
    return caught.value.kind, caught.value.message


def variant(**more) -> dict:
    return {
        "EndpointConfigName": "c",
        "ProductionVariants": [{"VariantName": "v", "ModelName": "m", **more}],
    }


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        (
            "CreateModel",
            {},
            "Value null at 'modelName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "DescribeModel",
            {"ModelName": "x" * 64},
            (
                f"Value '{'x' * 64}' at 'modelName' failed to satisfy constraint:"
                " Member must have length less than or equal to 63"
            ),
        ),
        (
            "CreateEndpointConfig",
            {"EndpointConfigName": "c", "ProductionVariants": []},
            (
                "Value '[]' at 'productionVariants' failed to satisfy constraint:"
                " Member must have length greater than or equal to 1"
            ),
        ),
        (
            "CreateEndpointConfig",
            variant(InitialInstanceCount=0),
            (
                "Value '0' at 'productionVariants.1.member.initialInstanceCount' failed to satisfy"
                " constraint: Member must have value greater than or equal to 1"
            ),
        ),
        (
            "ListModels",
            {"SortBy": "Size"},
            (
                "Value 'Size' at 'sortBy' failed to satisfy constraint:"
                " Member must satisfy enum value set: [Name, CreationTime]"
            ),
        ),
        (
            "ListModels",
            {"MaxResults": 101},
            (
                "Value '101' at 'maxResults' failed to satisfy constraint:"
                " Member must have value less than or equal to 100"
            ),
        ),
    ],
)
def test_a_broken_constraint_is_reported_in_the_words_of_aws(operation, body, problem):
    text = f"1 validation error detected: {problem}"
    assert refused(operation, body) == ("ValidationException", text)


def test_every_broken_constraint_is_reported():
    kind, message = refused("CreateEndpoint", {"EndpointName": "-"})
    assert kind == "ValidationException"
    assert message.startswith("2 validation errors detected: Value '-' at 'endpointName' failed")
    assert "; Value null at 'endpointConfigName' failed" in message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        (b'{"ModelName": NaN}', "The body is not JSON."),
        (b'{"ModelName": "\\ud800"}', "The body is not JSON."),
        (b'{"Containers": ' + b"[" * 100_000, "The body is not JSON."),
        ([], "Unexpected token START_ARRAY, expected START_OBJECT"),
        ({"ModelName": 5}, "NUMBER_VALUE can not be converted to a String"),
        ({"ModelName": ["m"]}, "START_ARRAY can not be converted to a String"),
        ({"Containers": {}}, "Unexpected token START_OBJECT, expected START_ARRAY"),
        ({"EnableNetworkIsolation": 1}, "NUMBER_VALUE can not be converted to a Boolean"),
    ],
)
def test_json_of_another_type_does_not_serialize(body, message):
    assert refused("CreateModel", body) == ("SerializationException", message)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**400, 1.5])
def test_an_integer_of_more_than_32_bits_does_not_serialize(number):
    kind, message = refused("ListModels", {"MaxResults": number})
    assert (kind, message) == ("SerializationException", f"{number} is not a valid Integer")


def test_members_that_the_shape_does_not_know_are_dropped():
    body = b'{"ModelName": "m", "Surprise": {"deep": 1}, "Tags": null}'
    assert check(MODEL.input_shape("CreateModel"), body) == {"ModelName": "m"}


@pytest.mark.parametrize("value", ["v1 é", "a:b/c=d+e-f@g", "", "数字"])
def test_tags_take_letters_of_any_script(value):
    body = {"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:model/m"}
    body["Tags"] = [{"Key": "k", "Value": value}]
    shape = MODEL.input_shape("AddTags")
    assert check(shape, json.dumps(body).encode())["Tags"][0]["Value"] == value


def test_a_tag_with_another_character_is_refused():
    body = {
        "ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:model/m",
        "Tags": [{"Key": "k", "Value": "a#b"}],
    }
    assert "Value 'a#b' at 'tags.1.member.value'" in refused("AddTags", body)[1]


def test_an_operation_that_the_service_does_not_have_is_not_in_its_model():
    assert "MakeCoffee" not in MODEL
    assert "CreateModel" in MODEL


@given(body=st.dictionaries(st.sampled_from(["ModelName", "Containers", "Tags", "x"]), VALUES))
def test_any_json_is_a_model_or_a_refusal(body):
    try:
        value = check(MODEL.input_shape("CreateModel"), json.dumps(body).encode())
    except AwsError as error:
        assert error.kind in {"ValidationException", "SerializationException"}
    else:
        assert value["ModelName"] == body["ModelName"]
