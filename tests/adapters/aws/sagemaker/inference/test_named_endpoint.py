"""An endpoint by its ARN: the account is compared before anything is sent."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from cloudserve.adapters.aws.errors import translated
from cloudserve.adapters.aws.sagemaker.inference.endpoint import SageMakerEndpoint

from cloudserve.errors import RemoteError, UserError
from cloudserve.release.destination import Destination

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/line"
PARTS = {"region": "eu-west-1", "account": "123456789012", "endpoint": "line"}
# AWS, of an endpoint whose models are inference components, invoked without naming one.
COMPONENT = (
    "Inference Component Name header is required for endpoints to which you plan to deploy "
    "inference components. Please include Inference Component Name header or consider using "
    "SageMaker models."
)


class Api:
    """The calls of an account; `error` is the answer of an invocation."""

    def __init__(self, account, error=None):
        self.account = account
        self.error = error
        self.sent = []
        self.runtime = self

    def destination(self, region):
        return Destination("aws", account=self.account, region=region)

    def invoke_once(self, endpoint, target, body, seconds):
        self.sent.append((endpoint, dict(target)))
        if self.error:
            answer = {"Error": {"Code": "ValidationError", "Message": self.error}}
            with translated("predict", "sagemaker"):
                raise ClientError(answer, "InvokeEndpoint")
        return b"{}", "v1"


@pytest.mark.parametrize("account", ["account 999999999999", ""])
def test_an_endpoint_of_another_account_is_not_asked(account):
    api = Api(account)
    with pytest.raises(UserError, match="the endpoint is in account 123456789012") as caught:
        SageMakerEndpoint(ARN, PARTS, api).ask(b"{}", "", 1.0)
    assert caught.value.where == ARN
    assert api.sent == []


def test_a_variant_and_a_model_are_named():
    api = Api("account 123456789012")
    endpoint = SageMakerEndpoint(ARN, {**PARTS, "target_model": "m.tar.gz"}, api)
    assert endpoint.ask(b"{}", "blue", 1.0).revision == "blue"
    assert api.sent == [("line", {"TargetVariant": "blue", "TargetModel": "m.tar.gz"})]
    assert SageMakerEndpoint(ARN, PARTS, api).ask(b"{}", "", 1.0).revision == "v1"


def test_an_endpoint_of_inference_components_is_refused():
    api = Api("account 123456789012", COMPONENT)
    with pytest.raises(UserError, match="inference components of SageMaker are not supported"):
        SageMakerEndpoint(ARN, PARTS, api).ask(b"{}", "", 1.0)
    with pytest.raises(RemoteError, match="predict: no"):
        SageMakerEndpoint(ARN, PARTS, Api("account 123456789012", "no")).ask(b"{}", "", 1.0)
