"""A SageMaker that answers as a test says, and what it answers."""

from __future__ import annotations

import json

from cloudserve.adapters.aws.sagemaker.api.calls import SageMaker
from cloudserve.adapters.aws.sagemaker.context import AwsContext
from cloudserve.adapters.aws.sagemaker.fields.options import Options
from cloudserve.adapters.aws.sagemaker.ownership import Owned
from cloudserve.adapters.aws.sagemaker.provider import SageMakerEndpoints
from cloudserve.adapters.aws.sagemaker.records import new_variant, without_underscores
from cloudserve.adapters.aws.session import Access
from cloudserve.adapters.ownership import Ownership
from cloudserve.adapters.polling import Poller

from cloudserve.release.owner import Owner
from cloudserve.release.types import Action, Location, Revision

ROLE = "arn:aws:iam::000000000000:role/serving"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
FIELDS = {"bucket": "s3://some-bucket", "role_arn": ROLE, "region": "eu-west-1"}
ONE, TWO, THREE = (Revision(n, f"{n}" * 64) for n in (1, 2, 3))
LOCATION = Location("s3://some-bucket", "cloudserve/x/", "half", 2)
ARN = "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/half"
NOT_FOUND = f'Could not find endpoint "{ARN}".'
NO_MODEL = 'Could not find model "arn:aws:sagemaker:eu-west-1:0:model/m".'
NAMES = Ownership(
    "aws", Owner("some-bucket", "aws", "some-bucket"), "{model}", without_underscores, str, True
)
LOGS = "Logs_20140328"
NO_LOG = (
    "no log to show: read the log /aws/sagemaker/Endpoints/half: "
    "The specified log group does not exist."
)


def ok(body):
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def refused(code, message, status=400):
    body = json.dumps({"__type": code, "message": message}).encode()
    return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "r-1"}, body


def tagged(**more):
    """Return ListTags' answer for a resource of the target's."""
    tags = NAMES.tags("half") | {f"cloudserve-{key}": value for key, value in more.items()}
    return ok({"Tags": [{"Key": key, "Value": str(value)} for key, value in tags.items()]})


def variants(**weights):
    return [
        new_variant(revision.id, f"half-{revision.id}", "ml.m5.large", 1)
        | {"InitialVariantWeight": weight}
        for revision, weight in zip((ONE, TWO, THREE), weights.values(), strict=False)
    ]


def described(status="InService", config="half-old", reason=None, **weights):
    """Return DescribeEndpoint's answer."""
    result = {
        "EndpointName": "half",
        "EndpointArn": ARN,
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": 1.0,
        "LastModifiedTime": 1.0,
        "ProductionVariants": [
            {"VariantName": revision.id, "CurrentWeight": weight}
            for revision, weight in zip((ONE, TWO, THREE), weights.values(), strict=False)
        ],
    }
    return ok(result | ({"FailureReason": reason} if reason else {}))


def config_of(specs, name="half-old"):
    arn = "arn:aws:sagemaker:eu-west-1:0:endpoint-config/x"
    body = {"EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": 1.0}
    return ok(body | {"ProductionVariants": specs})


def provider_at(url, timeout=5.0):
    access = Access({**KEYS, "AWS_ENDPOINT_URL": url}, "eu-west-1")
    options = Options(bucket="s3://some-bucket", role_arn=ROLE, region="eu-west-1")
    poller = Poller(timeout, first=0.001, longest=0.01)
    api = SageMaker(access)
    context = AwsContext(NAMES, options, "image:1", api, None, poller, Owned(api, NAMES), str)
    return SageMakerEndpoints(context)


def bodies(server, operation):
    return [
        json.loads(request.body)
        for request in server.requests
        if request.headers["X-Amz-Target"].endswith(f".{operation}")
    ]


def action(kind, **args):
    return Action(kind, "do it", {"model": "half", **args})
