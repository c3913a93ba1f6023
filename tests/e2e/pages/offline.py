"""The pages on the offline clouds, some with clouds of their own."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

from .markdown import ROOT, python_blocks, yaml_blocks
from .page import Page, Room

ENDPOINT = """\
import boto3
client = boto3.client("sagemaker")
model = client.describe_model(ModelName=client.list_models()["Models"][0]["ModelName"])
for name in ("mnist", "mnist-2"):
    variant = {"VariantName": "main", "ModelName": model["ModelName"], "InitialInstanceCount": 1}
    variant["InstanceType"] = "ml.m5.large"
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
client.create_endpoint(EndpointName="mnist", EndpointConfigName="mnist")
client.get_waiter("endpoint_in_service").wait(EndpointName="mnist")
"""
SERVER = """\
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def _faults(room: Room) -> None:
    (rules,) = yaml_blocks("docs/how-to/faults.md")
    room.write("faults.yaml", rules)


def _ci(room: Room) -> None:
    room.copy("mnist", 1)
    room.write("request.json", '{"instances": [1.0]}')
    tests = room.folder / "tests" / "release"
    tests.mkdir(parents=True)
    (tests / "test_release.py").write_text(
        "import json\n\ndef test_it_is_deployed():\n    json.load(open('deployed.json'))\n"
    )


def _sagemaker(room: Room) -> None:
    room.copy("mnist", 1)
    room.copy("half", 1)
    room.write("endpoint.py", ENDPOINT)


def _unmodified(room: Room) -> None:
    (code,) = python_blocks("docs/how-to/rehearse-unmodified-code.md")
    room.write("deploy.py", code)


POOL = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools"
AUDIENCE = f"{POOL}/ci-pool/providers/gitlab"


def _permissions(room: Room) -> None:
    room.copy("my-model", 1)
    release = (ROOT / "docs/how-to/use-a-company-account.md").read_text("utf-8")
    policy = re.findall(r"```json\n(\{\n  \"Version\".*?)```", release, re.DOTALL)[0]
    policy = policy.replace("my-models", room.bucket).replace("eu-west-1", room.region)
    room.write("policy.json", policy)
    project = (room.folder / "cloudserve.yaml").read_text()
    room.write("cloudserve.yaml", project.replace("role/rehearsal", "role/my-sagemaker-role"))
    _log_in_as_a_pipeline(room)


def _log_in_as_a_pipeline(room: Room) -> None:
    """Write what gcloud's `create-cred-config` writes, and an ID token."""
    now = int(time.time())
    claims = {"iss": "https://gitlab.com", "sub": "main", "aud": AUDIENCE, "iat": now}
    parts = map(_part, ({"alg": "RS256", "kid": "1"}, claims | {"exp": now + 600}))
    room.write("token", ".".join([*parts, "c2lnbmVk"]))
    account = "release@my-project.iam.gserviceaccount.com"
    iam = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    credentials = {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": "token"},
        "service_account_impersonation_url": f"{iam}/{account}:generateAccessToken",
    }
    room.write("credentials.json", json.dumps(credentials))


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


OFFLINE = {
    "docs/how-to/rehearse-unmodified-code.md": Page(_unmodified, needs=("unshare", "ip")),
    "docs/how-to/rehearse-in-compose.md": Page(
        instead={"--data /data": "--data data"},
        without={"docker": "it needs Docker: tests/e2e/test_compose.py runs what it runs"},
    ),
    "docs/how-to/rehearse-permissions.md": Page(
        _permissions,
        exits={
            "cloudserve deploy my-model --target aws   # exits with 4": (4,),
            "cloudserve emulate --port 8901 --deny": (4,),
        },
        without={"gcloud": "it is not installed: the test writes the file that it writes"},
        needs=("aws",),
    ),
    "docs/how-to/faults.md": Page(_faults),
    "docs/how-to/rehearse-in-ci.md": Page(_ci),
    "docs/how-to/rehearse-sagemaker.md": Page(
        _sagemaker,
        before={
            "aws cloudwatch put-metric-alarm": "cloudserve deploy half -t aws && python endpoint.py"
        },
        needs=("aws",),
    ),
    "docs/how-to/rehearse-an-image.md": Page(lambda room: room.write("server.py", SERVER)),
    "docs/how-to/check-your-setup.md": Page(
        lambda room: [room.copy(name, 1) for name in ("mnist", "half", "fraud", "my-model")],
        unlike={"cloudserve doctor": "all extras are installed"},
    ),
}
