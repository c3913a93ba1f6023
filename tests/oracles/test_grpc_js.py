"""gRPC of Node against the native transport, and Vertex AI's client against the offline clouds.

`make oracle-grpc-js` installs @grpc/grpc-js and @google-cloud/aiplatform.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

if "GRPC_JS" not in os.environ:
    pytest.skip(
        "GRPC_JS does not name the folder of @grpc/grpc-js: see `make oracle-grpc-js`",
        allow_module_level=True,
    )

from cloudserve.local_server.transport.grpc_options import GrpcServerOptions
from cloudserve.local_server.transport.tls import Tls
from google.protobuf.wrappers_pb2 import StringValue

from cloudserve.local.offline import offline_clouds
from tests.local_server.transport.certificates import Signed
from tests.local_server.transport.grpc import grpc_echo
from tests.local_server.transport.grpc.grpc_echo import Echo, serving

CLIENT = Path(__file__).parent / "grpc_js" / "client.js"


async def exchange(app: Echo, folder: Path) -> dict:
    """Serve with and without TLS; return what the client reports."""
    authority = Signed("authority")
    identity, client = Signed("localhost", authority), Signed("client", authority)
    certificate = authority.certificate.encode()
    tls = Tls(
        identity.key.encode(), identity.certificate.encode(), certificate, verify_clients=True
    )
    encrypted = GrpcServerOptions(tls=tls)
    async with (
        serving(app, options=GrpcServerOptions(health=True)) as server,
        serving(Echo(), options=encrypted) as secure,
    ):
        fields = {
            "address": server.address,
            "secure": f"localhost:{secure.port}",
            "ca": authority.certificate,
            "key": client.key,
            "certificate": client.certificate,
        }
        file = folder / "given.json"
        file.write_text(json.dumps(fields))
        process = await asyncio.create_subprocess_exec(
            *("node", CLIENT, file),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"NODE_PATH": os.environ["GRPC_JS"]},
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    return json.loads(output)


@pytest.fixture(scope="module")
def called() -> Echo:
    """Give the application that the client called."""
    return Echo()


@pytest.fixture(scope="module")
def results(called, tmp_path_factory) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc_echo, "chosen", "native")
        return asyncio.run(exchange(called, tmp_path_factory.mktemp("js")))


def text(result: str) -> str:
    return StringValue.FromString(base64.b64decode(result)).value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("say", "hello"),
        ("empty", ""),
        ("metadata", "with metadata"),
        ("gzip", "z" * 100),
        ("before", "1"),
        ("after", "2"),
        ("tls", "secret"),
    ],
)
def test_messages_are_answered(results, name, value):
    assert text(results[name]) == value


@pytest.mark.parametrize(
    ("name", "code", "details"),
    [
        ("failed", 5, "100% ünbekannt\n"),
        ("defect", 13, "the server failed; its log says why"),
        ("unknown", 12, "Method not found!"),
        ("cancelled", 1, "Cancelled on client"),
    ],
)
def test_a_status_arrives_as_it_was_sent(results, name, code, details):
    assert results[name] == {"code": code, "details": details}


@pytest.mark.parametrize(("name", "code"), [("broken", 3), ("late", 4), ("stranger", 14)])
def test_other_calls_end_with_their_code(results, name, code):
    assert results[name]["code"] == code


def test_metadata_and_the_timeout_arrive(results, called):
    (call,) = (call for call in called.calls if ("plain", "a value") in call.metadata)
    assert {("many", "1"), ("many", "2")} <= set(call.metadata)
    assert ("some-bin", b"\x00\xff\n") in call.metadata
    assert 0 < call.deadline_seconds <= 60


def test_large_and_concurrent_messages_come_back(results):
    assert results["large"] is True
    assert results["concurrent"] == 2000


def test_streams_are_answered_and_end(results, called):
    assert base64.b64decode(results["watch"]["first"]) == b"\x08\x01"  # SERVING
    assert results["watch"]["code"] == 1
    assert b"echo.Echo" in base64.b64decode(results["reflection"]["first"])
    assert results["reflection"]["code"] == 0
    assert called.cancelled.is_set()


def test_vertex_ais_client_is_answered_over_tls_and_without():
    with offline_clouds() as clouds:
        done = subprocess.run(
            ["node", CLIENT.with_name("vertex.js")],
            env=clouds.apply(os.environ) | {"NODE_PATH": os.environ["GRPC_JS"]},
            capture_output=True,
            check=True,
            timeout=120,
        )
        project = clouds.environment["GOOGLE_CLOUD_PROJECT"]
    name = f"projects/{project}/locations/us-central1/endpoints/1"
    refused = {"code": 5, "details": f"Endpoint `{name}` not found."}
    answered = {"isListed": True} | refused
    assert json.loads(done.stdout) == {"tls": answered, "plain": answered}
