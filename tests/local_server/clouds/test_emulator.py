"""The offline clouds as one server: routes, environment, refusals to start."""

from __future__ import annotations

import asyncio
import json
import operator
import socket
import ssl
import tempfile
import threading
import warnings
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudserve.errors import UserError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


@pytest.fixture(scope="module")
def connection(clouds):
    opened = HTTPConnection("127.0.0.1", clouds.emulator.port, timeout=60)
    yield opened
    opened.close()


def send(connection, method: str, path: str, body: bytes = b"", **headers: str):
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.getheader("content-type"), answer.read()


@pytest.mark.parametrize("path", ["/", "/nope", "/v1/projects", "/v1/other/p", "/endpoints/e"])
def test_an_unknown_route_is_a_typed_404(connection, path):
    status, kind, body = send(connection, "GET", path)
    assert (status, kind) == (404, "application/json; charset=UTF-8")
    message = f"No offline service answers GET {path}."
    assert json.loads(body) == {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}


@pytest.mark.parametrize(
    "path", ["/v1/projects/p/models:fly", "/v1/projects/p/models/m/versions/v:fly"]
)
def test_an_unknown_method_of_ml_is_a_typed_404(connection, path):
    status, _, body = send(connection, "POST", path)
    assert status == 404
    assert json.loads(body)["error"]["status"] == "NOT_FOUND"


def test_an_unknown_operation_of_sagemaker_is_a_typed_400(connection):
    status, kind, body = send(connection, "POST", "/", b"{}", X_Amz_Target="SageMaker.MakeCoffee")
    assert (status, kind) == (400, "application/x-amz-json-1.1")
    assert json.loads(body)["__type"] == "UnknownOperationException"


@pytest.mark.parametrize("path", ["async-invocations", "invocations-response-stream"])
def test_other_invocations_of_nobody_are_typed_errors(connection, path):
    status, _, body = send(connection, "POST", f"/endpoints/e/{path}", b"{}")
    assert status == 400
    message = "Endpoint e of account 000000000000 not found."
    assert json.loads(body) == {"Message": message}


def test_the_environment_points_both_clouds_here(clouds):
    url = f"http://127.0.0.1:{clouds.emulator.port}"
    assert clouds.environment["AWS_ENDPOINT_URL"] == url
    assert clouds.environment["STORAGE_EMULATOR_HOST"] == url
    assert clouds.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"] == f"{url}/"
    assert clouds.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"] == f"{url}/"
    for api in ("MONITORING", "LOGGING"):
        assert clouds.environment[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] == f"{url}/"


def test_the_same_port_answers_over_tls(clouds):
    authority = clouds.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]
    for host in ("127.0.0.1", "localhost"):
        context = ssl.create_default_context(cafile=authority)
        opened = HTTPSConnection(host, clouds.emulator.port, timeout=60, context=context)
        assert send(opened, "GET", "/storage/v1/b?project=p")[0] == 200
        opened.close()


def test_an_allowed_host_is_in_the_certificate(start_emulator):
    running = start_emulator(None, allow_hosts=("clouds.test", ".below.test", "büro.test"))
    authority = running.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]
    context = ssl.create_default_context(cafile=authority)
    for host in ("clouds.test", "a.below.test"):
        with (
            socket.create_connection(("127.0.0.1", running.emulator.port), 60) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            assert encrypted.version() == "TLSv1.3"


def test_the_defaults_of_the_sagemaker_sdk_keep_it_off_real_hosts(clouds):
    file = Path(clouds.environment["SAGEMAKER_ADMIN_CONFIG_OVERRIDE"])
    modules = yaml.safe_load(file.read_text())["SageMaker"]["PythonSDK"]["Modules"]
    bucket = "sagemaker-us-east-1-000000000000"
    assert modules == {"TelemetryOptOut": True, "Session": {"DefaultS3Bucket": bucket}}


def test_a_model_that_the_gcs_client_uploaded_is_served(
    clouds, models, monkeypatch, poll_until, fresh
):
    with warnings.catch_warnings():
        # google-api-core asks for grpcio-status, which none of these clients use.
        warnings.simplefilter("ignore", ImportWarning)
        from google.cloud import storage

    for name, value in clouds.environment.items():
        monkeypatch.setenv(name, value)
    with storage.Client(project="p") as client:
        bucket = client.create_bucket(fresh)
        for path in (models / "double" / "1").rglob("*"):
            if path.is_file():
                name = f"m/{path.relative_to(models / 'double' / '1')}"
                bucket.blob(name).upload_from_filename(str(path))
    ml = clouds.ml()
    parent = "projects/p"
    model = ml.projects().models().create(parent=parent, body={"name": fresh}).execute()["name"]
    version = {
        "name": "v1",
        "deploymentUri": f"gs://{fresh}/m/",
        "runtimeVersion": "2.11",
        "pythonVersion": "3.7",
    }
    operation = ml.projects().models().versions().create(parent=model, body=version).execute()
    get = ml.projects().operations().get(name=operation["name"])
    assert "response" in poll_until(get.execute, lambda answer: answer.get("done", False))
    answer = ml.projects().predict(name=model, body={"instances": [4.0]}).execute()
    assert answer == {"predictions": [8.0]}
    ml.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(["ModelName", "PrimaryContainer", "x"]), VALUES))
def test_any_json_for_create_model_is_a_client_error(connection, body):
    # What is generated never has an image and model data: none of it can be a model.
    content = json.dumps(body).encode()
    status, _, answer = send(connection, "POST", "/", content, X_Amz_Target="SageMaker.CreateModel")
    assert status == 400
    assert json.loads(answer)["__type"] in {"ValidationException", "SerializationException"}


@given(
    body=st.dictionaries(st.sampled_from(["name", "deploymentUri", "labels", "x"]), VALUES),
    kind=st.sampled_from(["models", "models/m/versions"]),
)
def test_any_json_for_ml_is_answered_without_a_server_error(connection, body, kind):
    content = json.dumps(body).encode()
    status, _, answer = send(connection, "POST", f"/v1/projects/fuzz/{kind}", content)
    assert status in {200, 400, 404, 409}
    assert isinstance(json.loads(answer), dict)


@given(body=st.binary(max_size=200))
def test_any_bytes_for_sagemaker_are_answered_without_a_server_error(connection, body):
    for operation in ("CreateEndpoint", "UpdateEndpoint", "AddTags", "ListModels"):
        target = f"SageMaker.{operation}"
        status, _, _ = send(connection, "POST", "/", body, X_Amz_Target=target)
        assert status in {200, 400}


def test_a_data_directory_in_use_is_refused(start_emulator, tmp_path):
    running = start_emulator(tmp_path)
    with pytest.raises(UserError, match="another emulator uses this data directory"):
        start_emulator(tmp_path)
    running.stop()
    start_emulator(tmp_path)


def test_a_port_in_use_is_refused_and_leaves_the_directory_free(start_emulator, tmp_path):
    from cloudserve.local_server.clouds.emulator import Emulator

    from cloudserve.local.servers import EmulateCommand

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        emulator = Emulator(EmulateCommand(tmp_path, port=port))
        with pytest.raises(UserError, match=f"port {port} on 127.0.0.1 is in use"):
            asyncio.run(emulator.start())
    start_emulator(tmp_path)


def test_a_temporary_emulator_leaves_nothing_behind(start_emulator):
    running = start_emulator(None)
    folder = running.emulator._folder.path
    assert folder.is_dir()
    running.stop()
    assert not folder.exists()


@pytest.mark.parametrize("writes", ["Emulator._certificate", "write_credentials", "write_running"])
def test_a_start_that_is_interrupted_waits_for_its_files_and_leaves_none(
    monkeypatch, tmp_path, writes
):
    """A thread cannot be interrupted: it would write into the folder after it was removed."""
    from cloudserve.local_server.clouds import emulator

    from cloudserve.local.servers import EmulateCommand

    begun, go_on = threading.Event(), threading.Event()
    owner, _, name = f"{emulator.__name__}.{writes}".rpartition(".")
    write = operator.attrgetter(writes)(emulator)

    def slow(*arguments):
        begun.set()
        go_on.wait()
        return write(*arguments)

    async def interrupt() -> bool:
        start = asyncio.create_task(emulator.Emulator(EmulateCommand(None)).start())
        await asyncio.to_thread(begun.wait)
        start.cancel()
        ended, _ = await asyncio.wait({start}, timeout=0.1)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await start
        return bool(ended)

    monkeypatch.setattr(f"{owner}.{name}", slow)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert not asyncio.run(interrupt())
    assert list(tmp_path.iterdir()) == []
