"""Traces of requests: a collector on loopback receives what the server exports by OTLP."""

import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.protocols.middleware.tracing import route_of
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.tracing.tracer import open_tracer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cloudserve.client import Client
from cloudserve.errors import RemoteError, UserError
from cloudserve.local.servers import ServeCommand

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
ERROR = 2


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.resources = []

    @property
    def spans(self):
        return [s for r in self.resources for scope in r.scope_spans for s in scope.spans]


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.resources += ExportTraceServiceRequest.FromString(body).resource_spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def attributes(item):
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in item.attributes
    }


@pytest.fixture
def collector(monkeypatch):
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        yield server
        server.shutdown()


@pytest.fixture
def spans(collector, shared_models):
    """Return a function that asks a traced server, stops it, and returns its spans."""

    def ask(asking):
        async def run():
            command = ServeCommand(port=0, grpc_port=0, otel=True)
            path = shared_models / "tfs_half_plus_two_2v"
            server = ModelServer(serve_options(path, command))
            await server.start()
            try:
                await asyncio.to_thread(asking, server)
            finally:
                await server.stop()

        asyncio.run(run())
        return collector.spans

    return ask


def rest(server, **options):
    return Client(f"{server.address}/v1/models/tfs_half_plus_two_2v", **options)


def grpc(server):
    return Client(f"grpc://{server.grpc_address}/tfs_half_plus_two_2v")


def send_continued(server):
    from cloudserve.client import Access

    with rest(server, access=Access(headers={"traceparent": TRACEPARENT})) as client:
        client.send(b'{"instances": [1.0]}')


def test_a_rest_request_continues_the_callers_trace(spans, collector):
    (span,) = spans(send_continued)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.name == "POST /v1/models/{model}:predict"
    found = attributes(span)
    assert found.pop("cloudserve.run.seconds") > 0
    assert found == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model}:predict",
        "http.response.status_code": 200,
        "url.path": "/v1/models/tfs_half_plus_two_2v:predict",
        "url.scheme": "http",
        "cloudserve.model": "tfs_half_plus_two_2v",
        "cloudserve.method": "Predict",
        "cloudserve.version": 124,
        "cloudserve.signature": "serving_default",
    }
    assert attributes(collector.resources[0].resource)["service.name"] == "cloudserve"


def test_a_grpc_call_continues_the_span_of_the_calling_program(spans):
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("program")
    parents = []

    def ask(server):
        with grpc(server) as client, tracer.start_as_current_span("caller") as caller:
            client.predict([1.0])
            parents.append(caller.get_span_context())

    found = spans(ask)
    (parent,) = parents
    assert {span.trace_id.hex() for span in found} == {f"{parent.trace_id:032x}"}
    assert {span.parent_span_id.hex() for span in found} == {f"{parent.span_id:016x}"}
    (span,) = [span for span in found if span.name.endswith("/Predict")]
    assert span.name == "tensorflow.serving.PredictionService/Predict"
    assert attributes(span)["rpc.grpc.status_code"] == 0
    assert attributes(span)["cloudserve.version"] == 124


def test_an_error_of_the_caller_is_no_error_of_the_server(spans):
    def ask(server):
        with rest(server) as client, pytest.raises(RemoteError):
            client.send(b'{"instances": ["a"]}')

    (span,) = spans(ask)
    assert attributes(span)["http.response.status_code"] == 400
    assert span.status.code != ERROR


def test_each_of_many_requests_has_a_span(spans):
    def ask(server):
        def send():
            with rest(server) as client:
                for _ in range(10):
                    client.send(b'{"instances": [1.0]}')

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = spans(ask)
    assert len(found) == 40
    assert len({span.trace_id for span in found}) == 40


def test_a_server_answers_and_stops_without_its_collector(monkeypatch, shared_models):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    answers = []

    async def run():
        command = ServeCommand(port=0, grpc_port=None, otel=True)
        server = ModelServer(serve_options(shared_models / "tfs_half_plus_two_2v", command))
        await server.start()

        def ask():
            with rest(server) as client:
                answers.append(client.send(b'{"instances": [1.0]}'))

        await asyncio.to_thread(ask)
        await server.stop()

    asyncio.run(run())
    assert b"2.5" in answers[0]


def test_another_protocol_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(UserError, match="by http/protobuf only, not by grpc"):
        open_tracer()


def test_the_flag_of_model_server_turns_traces_on():
    base = ("--model_name=m", "--model_base_path=/m", "--port=1")
    assert flag_options(parse_flags((*base, "--enable_otel"))).otel
    assert not flag_options(parse_flags(base)).otel


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/models/m", "/v1/models/{model}"),
        ("/v1/models/m:predict", "/v1/models/{model}:predict"),
        ("/v1/models/m/versions/7:classify", "/v1/models/{model}/versions/{version}:classify"),
        ("/v1/models/m/labels/stable/metadata", "/v1/models/{model}/labels/{label}/metadata"),
        ("/anything/else", ""),
    ],
)
def test_a_route_has_no_names_of_models(path, route):
    assert route_of(path) == route


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(monkeypatch, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        tracer = open_tracer()
        tracer.start("GET", {}, {}).end({})
        tracer.close(0.05)
        assert "the last traces are lost" in caplog.text
        client, _ = silent.accept()
        client.close()
