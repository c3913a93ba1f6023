"""Load tests of real servers, and of servers that fail in each way."""

import json
import socket
import threading
import time

import pytest

from cloudserve.bench import Load, Request, Settings, measure
from cloudserve.bench.child import child_server
from cloudserve.bench.page import result_page
from cloudserve.errors import RemoteError, UnreachableError, UserError
from tests.model_files import onnx_model, write

from ..transport.certificates import Signed, config_text
from .conftest import METADATA, answer

QUICK = {"seconds": 0.3, "warm_up": 0.1, "connections": 4}
STALL_SECONDS = 0.5


def ok(_number):
    return answer()


@pytest.mark.parametrize("api", ["rest", "grpc"])
@pytest.mark.parametrize("rate", [None, 200.0])
def test_this_projects_server_is_measured(half, api, rate):
    result = measure(getattr(half, api), Load(rate=rate, **QUICK))
    assert result.failed == 0
    assert result.answered > 10
    latency = result.latency
    assert 0 < latency.min <= latency.p50 <= latency.p99 <= latency.p999 <= latency.max
    assert result.server.processes == 1
    assert result.server.memory > 2**26
    assert result.server.cpu > 0
    assert sum(part.failed for part in result.intervals) == 0
    assert result.intervals[-1].at == pytest.approx(0.3)
    if rate is None:  # on a slow machine, a rate may not find a free connection for any request
        assert result.generator.lag_p99 is None
    assert result_page(result).endswith("</html>\n")


def test_a_rate_sends_as_many_requests_as_it_says(scripted):
    with scripted(ok) as server:
        result = measure(server.url, Load(rate=100, seconds=0.5, warm_up=0, connections=4))
    assert result.answered == 50
    assert len(server.bodies) == 51, "one request is sent before the measurement"


@pytest.mark.parametrize("rate", [None, 500.0])
def test_a_number_of_requests_is_measured_exactly(scripted, rate):
    with scripted(ok) as server:
        result = measure(server.url, Load(rate=rate, requests=77, warm_up=0, connections=4))
    assert result.answered == 77
    assert len(server.bodies) == 78
    assert result.seconds > 0


def test_the_latency_of_a_stalled_server_counts_from_the_due_time(scripted):
    """One stall delays all requests that are due in it, although only one is sent in it."""

    def stall(number):
        if number == 20:
            time.sleep(STALL_SECONDS)
        return answer()

    load = Load(rate=100, seconds=1, warm_up=0, connections=1)
    with scripted(stall) as server:
        result = measure(server.url, load)
    share_within_half = max(
        share for share, value in result.spectrum if value < STALL_SECONDS * 1000 / 2
    )
    assert result.latency.max >= STALL_SECONDS * 1000
    assert share_within_half < 0.80, "a quarter of the requests was due in the stall's first half"
    assert result.waited >= 40


def test_a_closed_loop_shows_the_same_stall_once(scripted):
    def stall(number):
        if number == 20:
            time.sleep(STALL_SECONDS)
        return answer()

    with scripted(stall) as server:
        result = measure(server.url, Load(requests=100, warm_up=0, connections=1))
    assert result.latency.max >= STALL_SECONDS * 1000
    assert result.waited == 0


def test_requests_that_a_server_does_not_get_to_are_failures(scripted):
    def slow(number):
        if number:
            time.sleep(0.1)
        return answer()

    load = Load(rate=200, seconds=0.5, warm_up=0, connections=1, timeout=0.3)
    with scripted(slow) as server:
        result = measure(server.url, load)
    assert result.failures["not sent in time"] > 50
    assert result.answered + result.failed == 100
    assert any("of 200 requests a second" in note for note in result.notes)


def test_failures_are_counted_by_kind(scripted):
    kinds = {1: answer(503), 2: answer(500), 3: None, 4: b"nonsense\r\n\r\n"}
    with scripted(lambda number: kinds.get(number % 6, answer())) as server:
        result = measure(server.url, Load(requests=60, warm_up=0, connections=1))
    assert result.failures == {
        "HTTP 503": 10,
        "HTTP 500": 10,
        "connection closed": 10,
        "not HTTP": 10,
    }
    assert result.answered == 20


def test_a_server_may_close_each_connection(scripted):
    with scripted(lambda _number: answer(headers="Connection: close\r\n")) as server:
        result = measure(server.url, Load(requests=20, warm_up=0, connections=2))
    assert (result.answered, result.failed) == (20, 0)


def test_a_request_that_is_not_answered_fails_with_a_timeout(scripted):
    measured = threading.Event()

    def never(number):
        if number == 5:
            measured.wait(60)
        return answer()

    load = Load(requests=20, warm_up=0, connections=1, timeout=1)
    with scripted(never) as server:
        result = measure(server.url, load)
        measured.set()
    assert result.failures == {"timeout": 1}
    assert result.answered == 19


def test_a_server_that_stops_in_the_middle_ends_the_measurement(scripted):
    def leave(number):
        if number < 20:
            return answer()
        server.shutdown()
        server.server_close()
        return None

    load = Load(seconds=60, warm_up=0, connections=1)
    with scripted(leave) as server:
        result = measure(server.url, load)
    assert result.ended == "the server stopped answering: connection refused"
    assert result.answered == 19
    assert result.seconds < 30


def test_a_port_without_a_server_is_unreachable():
    with socket.socket() as held:  # a port that no other process can get
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/v1/models/m", f"grpc://127.0.0.1:{port}/m"):
            with pytest.raises(UnreachableError, match=f"server answers at 127.0.0.1:{port}: "):
                measure(url, Load(**QUICK))


def test_the_first_request_that_is_refused_is_an_error_with_the_servers_words(scripted):
    refusing = scripted(lambda _number: answer(400, {"error": "no such shape"}))
    with refusing as server, pytest.raises(RemoteError) as refused:
        measure(server.url, Load(**QUICK))
    assert refused.value.message == "the prediction was answered with HTTP 400: no such shape"
    assert "--payload FILE" in refused.value.hint


def test_another_servers_answer_is_not_taken_for_metadata(scripted, monkeypatch):
    monkeypatch.setitem(METADATA, "metadata", {"else": 1})
    message = "the server is not TensorFlow Serving: GET /v1/models/m/metadata answers no"
    with scripted(ok) as server, pytest.raises(RemoteError, match=message):
        measure(server.url, Load(**QUICK))


@pytest.mark.parametrize("api", ["rest", "grpc"])
def test_an_unknown_model_is_reported_in_the_servers_words(half, api):
    url = getattr(half, api).replace("/model", "/hare").replace("/hares", "/models")
    with pytest.raises(RemoteError, match="hare"):
        measure(url, Load(**QUICK))


@pytest.mark.parametrize("api", ["rest", "grpc"])
def test_an_unknown_signature_is_reported_with_the_known_ones(half, api):
    with pytest.raises(UserError, match="the model has no signature 'serving'") as refused:
        measure(getattr(half, api), Load(**QUICK), Settings(Request("serving")))
    assert "serving_default" in refused.value.hint


@pytest.mark.parametrize("api", ["rest", "grpc"])
def test_a_payload_is_sent_as_it_is(half, api, tmp_path):
    payload = tmp_path / "requests.jsonl"
    payload.write_text('{"instances": [1.0, 2.0]}\n{"instances": [5.0, 6.0]}\n')
    result = measure(getattr(half, api), Load(**QUICK), Settings(payload=payload))
    assert result.failed == 0


@pytest.fixture(scope="module")
def grpcio(shared_models):
    """Give a server whose gRPC transport is grpcio."""
    path = shared_models / "tfs_half_plus_two_cpu"
    with child_server(path, ["--grpc-transport", "grpcio"]) as server:
        yield server


@pytest.mark.parametrize("transport", ["half", "grpcio"])
def test_grpc_messages_beyond_a_window_and_failures_over_both_transports(
    transport, request, tmp_path
):
    url = request.getfixturevalue(transport).grpc
    large, mixed = tmp_path / "large.json", tmp_path / "mixed.jsonl"
    large.write_text(json.dumps({"instances": [0.5] * 100_000}))
    mixed.write_text('{"instances": [1.0]}\n{"inputs": {"x": []}}\n')
    load = Load(requests=60, warm_up=0, connections=20)
    result = measure(url, load, Settings(payload=large))
    assert (result.answered, result.failed) == (60, 0)
    assert result.payload_bytes > 400_000
    assert measure(url, load, Settings(payload=mixed)).answered == 60


def test_any_url_is_measured_with_a_payload(scripted, tmp_path):
    payload = tmp_path / "request.json"
    payload.write_text('{"any": 1}')
    with scripted(ok) as server:
        url = server.url.replace("/v1/models/m", "/invocations")
        with pytest.raises(UserError, match="no request can be made up"):
            measure(url, Load(**QUICK))
        result = measure(url, Load(requests=5, warm_up=0), Settings(payload=payload))
    assert json.loads(server.bodies[0]) == {"any": 1}
    assert (result.answered, result.model) == (5, "")


@pytest.fixture(scope="module")
def secured(shared_models, tmp_path_factory):
    """Give a server with a certificate and a token, and the files of both."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Signed("authority")
    identity = Signed("localhost", authority)
    (folder / "ca.pem").write_text(authority.certificate)
    (folder / "tokens").write_text("# of the test\nsecret\n")
    text = config_text(server_key=identity.key, server_cert=identity.certificate)
    (folder / "ssl.config").write_text(text)
    options = ("--ssl-config-file", "ssl.config", "--auth-token-file", "tokens")
    files = [word if word.startswith("--") else str(folder / word) for word in options]
    with child_server(shared_models / "tfs_half_plus_two_cpu", files) as server:
        yield server, folder


@pytest.mark.parametrize(
    ("api", "unverified", "no_token"),
    [
        ("rest", "certificate verify failed", "was answered with HTTP 401: A token is needed"),
        ("grpc", "no gRPC server answers", "GetModelMetadata failed with UNAUTHENTICATED"),
    ],
)
def test_certificates_and_tokens_are_used_and_their_absence_reported(
    secured, api, unverified, no_token
):
    server, folder = secured
    url = getattr(server, api).replace("127.0.0.1", "localhost")
    with pytest.raises(UnreachableError, match=unverified):
        measure(url, Load(**QUICK))
    with pytest.raises(RemoteError, match=no_token) as refused:
        measure(url, Load(**QUICK), Settings(ca_file=folder / "ca.pem"))
    assert "--auth-token-file" in refused.value.hint
    settings = Settings(ca_file=folder / "ca.pem", auth_token_file=folder / "tokens")
    assert measure(url, Load(**QUICK), settings).failed == 0


def test_files_without_certificates_or_tokens_are_refused(secured, tmp_path):
    server, _ = secured
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    with pytest.raises(UserError, match="the file has no token"):
        measure(server.rest, Load(**QUICK), Settings(auth_token_file=empty))
    with pytest.raises(UserError, match="the file has no certificates in PEM form"):
        measure(server.rest, Load(**QUICK), Settings(ca_file=empty))


def test_a_path_is_measured_with_a_server_of_its_own(shared_models):
    path = str(shared_models / "tfs_half_plus_two_cpu")
    result = measure(path, Load(**QUICK), Settings(use_grpc=True))
    assert (result.api, result.failed) == ("gRPC", 0)
    assert result.server.memory > 2**26


def test_a_model_file_is_measured_with_a_server_of_its_own(tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")
    file = write(tmp_path / "half.onnx", onnx_model().SerializeToString())
    result = measure(str(file), Load(**QUICK), Settings())
    assert (result.api, result.failed) == ("REST", 0)
    assert result.answered


def test_options_of_a_server_need_a_path(half):
    with pytest.raises(UserError, match="options of the server need a path"):
        measure(half.rest, Load(**QUICK), Settings(server_options=("--batching",)))
