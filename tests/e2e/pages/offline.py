"""The pages on the offline clouds, some with clouds of their own."""

from __future__ import annotations

from .markdown import yaml_blocks
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


OFFLINE = {
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
