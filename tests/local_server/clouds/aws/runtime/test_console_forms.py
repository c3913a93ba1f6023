"""The form of an endpoint on the console's page: its signatures, and its region."""

import json
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

API = "/_cloudserve/console/api/endpoints"


def card(clouds, resource):
    with urlopen(f"{clouds.url}{API}/{quote(resource, safe='')}", timeout=20) as answer:
        return json.load(answer)


def test_a_form_is_made_of_the_signatures_of_the_largest_variant(clouds, doubling, aws):
    shown = card(clouds, aws.describe(doubling)["EndpointArn"])
    names = [signature["name"] for signature in shown["signatures"]]
    assert names == ["serving_default", "negative"]
    first = shown["signatures"][0]
    assert [spec["alias"] for spec in first["inputs"]] == ["x"]
    assert first["rows"]["instances"]


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:sagemaker:us-east-1:000000000000:endpoint/none",
        "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/",
        "arn:",
        "projects/p/locations/l/endpoints/none",
        "",
    ],
)
def test_an_endpoint_that_does_not_exist_has_no_form(clouds, resource):
    with pytest.raises(HTTPError, match="404"):
        card(clouds, resource)


def test_a_page_names_the_region_in_the_header_that_sdks_sign(clouds, doubling):
    def status(region):
        scope = f"Credential=console/20260101/{region}/sagemaker/aws4_request"
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none",
        }
        path = f"{clouds.url}/endpoints/{doubling}/invocations"
        try:
            with urlopen(Request(path, b'{"instances": [1.5]}', headers), timeout=20) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, None

    assert status("us-east-1") == (200, {"predictions": [3.0]})
    assert status("eu-west-1")[0] == 400
