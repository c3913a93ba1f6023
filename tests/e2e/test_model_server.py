"""`cloudserve model-server` as a process: its flags, its lifecycle under load, its end."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))

CONFIG = """\
model_config_list {{
  {models}
}}
"""
MODEL = 'config {{ name: "{}" base_path: "{}" model_platform: "tensorflow" }}'


def free_port():
    """Return a port that was free a moment ago: the flags know no port that picks itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    """A running server; its log is read line by line."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        self.log = []

    def wait_for(self, text):
        """Read the log until a line holds this text."""
        for line in self.process.stderr:
            self.log.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {''.join(self.log)}")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as got:
                return got.status, json.load(got)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def predict(self, model, *values):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/models/{model}:predict",
            json.dumps({"instances": values}).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["predictions"]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def run_server(*arguments):
    port = free_port()
    command = [CLOUDSERVE, "model-server", f"--rest_api_port={port}", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Server(process, port)
        finally:
            process.kill()


def write_config(path, **models):
    text = CONFIG.format(models="\n  ".join(MODEL.format(*model) for model in models.items()))
    written = path.with_suffix(".new")
    written.write_text(text)
    written.replace(path)


@pytest.fixture(scope="module")
def half(shared_models):
    return shared_models / "tfs_half_plus_two_cpu"


@pytest.fixture(scope="module")
def three(shared_models):
    return shared_models / "tfs_half_plus_three"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder, half):
    """Run a server of one model whose versions come and go, and whose configuration does."""
    (folder / "half").mkdir()
    shutil.copytree(half / "123", folder / "half" / "1")
    write_config(folder / "models.config", half=folder / "half")
    with run_server(
        "--port=0",
        f"--grpc_socket_path={folder / 'grpc'}",
        f"--model_config_file={folder / 'models.config'}",
        "--model_config_file_poll_wait_seconds=1",
        "--enable_grpc_healthcheck_service",
        "--enable_batching",
        "--flush_filesystem_caches",
    ) as running:
        running.wait_for("Exporting HTTP/REST API at:[::]:")
        yield running


def test_it_says_what_it_does_as_tensorflow_serving_does(server, folder):
    log = "".join(server.log)
    assert f"Running gRPC ModelServer at unix:{folder / 'grpc'} ...\n" in log
    assert f"Exporting HTTP/REST API at:[::]:{server.port} ...\n" in log
    assert "ignored, no effect in this server: --flush_filesystem_caches" in log


def test_rest_and_grpc_give_the_models_answer(server, folder):
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    assert server.predict("half", 1.0, 2.0, 5.0) == [2.5, 3.0, 4.5]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=2)
    request.inputs["x"].float_val.extend([1.0, 5.0])
    with grpc.insecure_channel(f"unix:{folder / 'grpc'}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, timeout=30)
    assert list(answer.outputs["y"].float_val) == [2.5, 4.5]
    assert answer.model_spec.version.value == 1


def test_it_reports_its_health_and_its_models(server):
    assert server.get("/healthz") == (200, {"status": "alive"})
    assert server.get("/readyz") == (200, {"status": "ready"})
    (model,) = server.get("/v1/models")[1]["models"]
    assert model["name"] == "half"
    assert [v["state"] for v in model["model_version_status"]] == ["AVAILABLE"]


def test_a_new_version_is_swapped_in_and_back_without_one_failed_request(server, folder, three):
    answers, failures = [], []
    over = threading.Event()

    def ask():
        while not over.is_set():
            try:
                answers.append(server.predict("half", 1.0)[0])
            except (OSError, ValueError) as error:
                failures.append(error)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        # As an operator does: the number appears when the version is whole.
        shutil.copytree(next(three.iterdir()), folder / "half" / "coming")
        (folder / "half" / "coming").rename(folder / "half" / "2")
        server.wait_for("version 1 of model half is unloaded")
        shutil.rmtree(folder / "half" / "2")
        server.wait_for("version 2 of model half is unloaded")
    finally:
        over.set()
        for client in clients:
            client.join()
    assert failures == []
    assert set(answers) == {2.5, 3.5}
    assert server.predict("half", 1.0) == [2.5]


def test_a_model_added_to_the_configuration_is_served_and_one_taken_out_is_not(
    server, folder, three
):
    write_config(folder / "models.config", half=folder / "half", three=three)
    server.wait_for("of model three is available")
    assert server.predict("three", 1.0) == [3.5]
    write_config(folder / "models.config", half=folder / "half")
    server.wait_for("of model three is unloaded")
    status, answer = server.get("/v1/models/three/metadata")
    assert (status, answer) == (404, {"error": "Servable not found for request: Latest(three)"})


def test_a_configuration_that_breaks_is_logged_and_the_last_one_holds(server, folder):
    (folder / "models.config").write_text("nonsense")
    server.wait_for("the configuration is not taken: Invalid protobuf file:")
    assert server.predict("half", 1.0) == [2.5]
    write_config(folder / "models.config", half=folder / "half")


def test_sigterm_answers_what_has_begun_and_ends_well(server):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        body = b'{"instances": [1.0]}'
        head = f"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
        client.sendall(f"{head}\r\n\r\n".encode() + body[:5])
        server.get("/healthz")  # by now the request's beginning was read
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("stopping")
        client.sendall(body[5:])
        answer = b""
        while received := client.recv(4096):
            answer += received
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"2.5" in answer
    assert server.process.wait(60) == 0


def save_endless_model(path):
    """Write a model whose one signature never comes to its end."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None])
        y = tf.while_loop(lambda _: True, lambda value: value + 1, [x])[0]
        v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": y})


def test_sigterm_ends_well_even_where_a_run_has_no_end(tmp_path):
    save_endless_model(tmp_path / "m" / "1")
    with run_server(
        f"--model_base_path={tmp_path / 'm'}",
        "--port=0",
        f"--grpc_socket_path={tmp_path / 'grpc'}",
        "--rest_api_timeout_in_ms=100",
        "--drain_seconds=0",
    ) as running:
        running.wait_for("Exporting HTTP/REST API")
        with pytest.raises(urllib.error.HTTPError, match="504") as caught:
            running.predict("default", 1.0)
        caught.value.close()
        assert running.get("/healthz")[0] == 200
        assert running.end() == 0
        running.wait_for("models are left")


# What does not start.


def ended(*arguments):
    done = subprocess.run(
        [CLOUDSERVE, "model-server", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_model_that_does_not_load_ends_the_start(tmp_path):
    (tmp_path / "1").mkdir()
    code, out, _ = ended(f"--model_base_path={tmp_path}", "--max_num_load_retries=0", "--port=1")
    assert code == 255
    assert out.startswith(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: default version: 1} due to error: "
    )


def test_nothing_to_serve_ends_the_start():
    assert ended() == (
        255,
        (
            "Failed to start server. Error: INVALID_ARGUMENT: Both server_options.model_base_path "
            "and server_options.model_config_file are empty!\n"
        ),
        "",
    )


def test_a_wrong_value_shows_the_usage():
    code, out, err = ended("--port=x")
    assert (code, err) == (255, "Couldn't interpret value =x for flag port.\n")
    assert out.startswith("usage: cloudserve model-server\nFlags:\n\t--port=8500")


def test_a_log_format_that_is_invalid_ends_the_start_like_any_other_failure():
    text = "Failed to start server. Error: UNKNOWN: `xml` is not a log format; use text or json\n"
    assert ended("--log_format=xml") == (255, text, "")


def test_an_unknown_argument_is_reported_and_the_start_continues():
    code, out, _ = ended("--nonsense=1")
    assert code == 255
    assert out.startswith("unknown argument: --nonsense=1\nusage: cloudserve model-server\n")
    assert "Failed to start server. Error: INVALID_ARGUMENT: Both" in out


def test_the_version_is_shown_with_tensorflows():
    from importlib.metadata import version

    code, out, _ = ended("--version")
    assert code == 0
    assert out == (
        f"TensorFlow ModelServer: {version('cloudserve')} (cloudserve)\n"
        f"TensorFlow Library: {version('tensorflow')}\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_waits_for_its_model_ends_by_a_signal(tmp_path, number):
    with run_server(f"--model_base_path={tmp_path}", "--port=1") as waiting:
        waiting.wait_for("Did you forget to name your leaf directory as a number")
        assert waiting.end(number) == 0


def test_signals_that_come_while_it_ends_change_nothing(tmp_path):
    arguments = [f"--model_base_path={tmp_path}", "--port=0", f"--grpc_socket_path={tmp_path}/s"]
    with run_server(*arguments, "--strict_startup=false") as running:
        running.wait_for("Exporting HTTP/REST API")
        while running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(0.05)
        assert running.process.returncode == 0


def test_a_lenient_start_opens_its_ports_at_once(tmp_path):
    arguments = [f"--model_base_path={tmp_path}", "--port=0", f"--grpc_socket_path={tmp_path}/s"]
    with run_server(*arguments, "--strict_startup=false", "--log_format=json") as running:
        running.wait_for("Exporting HTTP/REST API")
        assert running.get("/healthz")[0] == 200
        assert running.get("/readyz") == (
            503,
            {"status": "not ready", "unavailable": ["default"]},
        )
        assert running.end() == 0
    (line,) = [line for line in running.log if "Did you forget" in line]
    assert json.loads(line)["severity"] == "WARNING"
