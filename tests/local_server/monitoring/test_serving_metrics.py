"""A server's metrics: names, labels, and the requests that applications and observers count."""

import asyncio
from pathlib import Path

import pytest
from cloudserve.local_server.deferred import Deferred
from cloudserve.local_server.inference.observation import Observation
from cloudserve.local_server.inference.types import Method as RequestMethod
from cloudserve.local_server.inference.types import ModelSpec
from cloudserve.local_server.models import Servable, State, Version, VersionState
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from cloudserve.local_server.protocols.errors import ErrorResponse
from cloudserve.local_server.protocols.middleware.metrics import CountedGrpc, MetricsApp
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_types import Call, Method, Service
from cloudserve.local_server.transport.types import Head, Request, Response

from .metric_lines import lines

PATH = "/monitoring/prometheus/metrics"


class StubApp:
    """An application that answers what it was made with, at once or a moment later."""

    def __init__(self, answer, *, later=False):
        self.answer, self.later = answer, later

    def body_limit(self, head):
        return 7

    def handle(self, request):
        return self._later() if self.later else self.answer

    async def _later(self):
        await asyncio.sleep(0)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class TurnApp(StubApp):
    """The same, which answers requests together: one of them fails, and one is left out."""

    def together(self, head):
        return self._answer

    def _answer(self, requests):
        failed = ErrorResponse(404, code=Code.NOT_FOUND)
        return [Response(200), None, failed, Response(200)]


def ask(app, target, method="POST"):
    path, _, query = target.partition("?")
    answer = app.handle(Request(Head(method, path, query)))
    if isinstance(answer, Response):
        return answer

    async def wait():
        return await answer

    return asyncio.run(wait())


@pytest.fixture
def metrics():
    return ServingMetrics()


def test_requests_answered_together_are_counted_one_by_one(metrics):
    app = MetricsApp(metrics, TurnApp(None))
    head = Head("POST", "/v1/models/m:predict")
    together = app.together(head)
    assert app.together(Head("POST", "/v1/models/m:predict", headers={"a": "b"})) is together
    assert [one and one.status for one in together([Request(head)] * 4)] == [200, None, 404, 200]
    assert sorted(lines(metrics, ":tensorflow:serving:request_count")) == [
        ':tensorflow:serving:request_count{model_name="m",status="NOT_FOUND"} 1',
        ':tensorflow:serving:request_count{model_name="m",status="OK"} 2',
    ]
    (count,) = lines(metrics, ":tensorflow:serving:request_latency_count")
    assert count.endswith(" 2")
    assert app.together(Head("POST", PATH)) is None


def test_an_unused_server_reports_every_metric_of_tensorflow_serving_by_its_type(metrics):
    types = [line for line in metrics.page().decode().splitlines() if line.startswith("# TYPE :")]
    assert types == [
        "# TYPE :tensorflow:cc:saved_model:load_attempt_count counter",
        "# TYPE :tensorflow:cc:saved_model:load_latency counter",
        "# TYPE :tensorflow:core:graph_run_time_usecs counter",
        "# TYPE :tensorflow:core:graph_run_time_usecs_histogram histogram",
        "# TYPE :tensorflow:core:graph_runs counter",
        "# TYPE :tensorflow:serving:batching_session:input_batch_size histogram",
        "# TYPE :tensorflow:serving:batching_session:padding_size histogram",
        "# TYPE :tensorflow:serving:batching_session:processed_batch_size histogram",
        "# TYPE :tensorflow:serving:batching_session:queuing_latency histogram",
        "# TYPE :tensorflow:serving:batching_session:wrapped_run_count counter",
        "# TYPE :tensorflow:serving:model_warmup_latency histogram",
        "# TYPE :tensorflow:serving:model_warmup_records_read counter",
        "# TYPE :tensorflow:serving:request_count counter",
        "# TYPE :tensorflow:serving:request_example_count_total counter",
        "# TYPE :tensorflow:serving:request_example_counts histogram",
        "# TYPE :tensorflow:serving:request_latency histogram",
        "# TYPE :tensorflow:serving:request_log_count counter",
        "# TYPE :tensorflow:serving:runtime_latency histogram",
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_the_exact_path_answers_whatever_the_method_and_takes_no_body(metrics, method):
    app = MetricsApp(metrics, StubApp(Response(404)))
    answer = ask(app, PATH, method)
    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert answer.body == metrics.page()
    assert app.body_limit(Head(method, PATH)) == 0


def test_a_query_on_the_path_is_refused_as_tensorflow_serving_does(metrics):
    answer = ask(MetricsApp(metrics, StubApp(Response(404)), "/m"), "/m?name=x")
    assert (answer.status, answer.content_type) == (400, "text/plain")
    assert answer.body == b"Unexpected path: /m?name=x. Should be /m"


@pytest.mark.parametrize("target", ["/metrics", PATH + "/", PATH.upper(), "/"])
def test_every_other_path_goes_behind(metrics, target):
    app = MetricsApp(metrics, StubApp(Response(404, b"no")))
    assert ask(app, target).body == b"no"
    assert app.body_limit(Head("GET", target)) == 7
    assert sorted(lines(metrics, ":tensorflow:serving:request_count")) == []


@pytest.mark.parametrize(
    ("target", "model", "api"),
    [
        ("/v1/models/m:predict", "m", "predict"),
        ("/v1/models/m/versions/3:classify", "m", "classify"),
        ("/V1/models/a%2Fb/labels/x:regress", "a/b", "regress"),
        ("/v1/models/m", "m", ""),
        ("/v1/models/m/versions/3/metadata", "m", ""),
        ("/v1/models/m:explain", "", ""),
        ("/v1/x", "", ""),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_rest_requests_count_by_the_model_and_api_of_their_url(metrics, target, model, api, later):
    ask(MetricsApp(metrics, StubApp(Response(200), later=later)), target)
    count = ":tensorflow:serving:request_count"
    assert lines(metrics, count) == [f'{count}{{model_name="{model}",status="OK"}} 1']
    latency = ":tensorflow:serving:request_latency_count"
    labels = f'model_name="{model}",API="{api}",entrypoint="REST"'
    assert lines(metrics, latency) == [f"{latency}{{{labels}}} 1"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ErrorResponse(400, code=Code.FAILED_PRECONDITION), "FAILED_PRECONDITION"),
        (ErrorResponse(404, code=Code.NOT_FOUND), "NOT_FOUND"),
        (Response(400), "INVALID_ARGUMENT"),
        (Response(500), "UNKNOWN"),
    ],
)
def test_failures_count_by_their_code_and_have_no_latency(metrics, answer, status):
    ask(MetricsApp(metrics, StubApp(answer)), "/v1/models/m:predict")
    count = ":tensorflow:serving:request_count"
    assert lines(metrics, count) == [f'{count}{{model_name="m",status="{status}"}} 1']
    assert lines(metrics, ":tensorflow:serving:request_latency") == []


@pytest.mark.parametrize("kind", ["coroutine", "deferred"])
@pytest.mark.parametrize(
    ("error", "status"), [(ValueError(), "INTERNAL"), (asyncio.CancelledError(), "CANCELLED")]
)
def test_a_request_that_breaks_off_counts_too(metrics, error, status, kind):
    behind = StubApp(error, later=True)
    if kind == "deferred":
        behind = StubApp(Deferred())
        behind.answer.settle(error)
    with pytest.raises(type(error)):
        ask(MetricsApp(metrics, behind), "/v1/models/m:predict")
    assert f'status="{status}"' in lines(metrics, ":tensorflow:serving:request_count")[0]


class GetModelStatus:
    """A message with a model_spec, as far as counting looks."""

    class model_spec:  # noqa: N801  a field's name
        name = "m"


class Grpc:
    """A service whose methods do what they were made with."""

    def __init__(self, handle):
        self.handle = handle

    def services(self):
        names = ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
        return [Service("s", {name: Method(None, self.handle) for name in names})]


def deferred(handle):
    """Return a handler that returns a Deferred, settled a moment later, of a coroutine handler."""

    def begin(call, request):
        answer, running = Deferred(), asyncio.ensure_future(handle(call, request))

        def settle(future):
            is_cancelled = future.cancelled()
            answer.settle(
                asyncio.CancelledError() if is_cancelled else future.exception() or future.result()
            )

        running.add_done_callback(settle)
        answer.then(lambda _: running.cancel())
        return answer

    return begin


@pytest.fixture(params=["coroutine", "deferred"])
def kind(request):
    return deferred if request.param == "deferred" else lambda handle: handle


def call(metrics, name, handle, deadline=None):
    (service,) = CountedGrpc(metrics, Grpc(handle)).services()

    async def run():
        async with asyncio.timeout(deadline):
            call = Call("/s/" + name, deadline_seconds=deadline)
            return await service.methods[name].handle(call, GetModelStatus)

    return asyncio.run(run())


async def succeed(_call, request):
    return request


async def fail(_call, _request):
    raise StatusError(Code.UNAVAILABLE, "full")


async def hang(_call, _request):
    await asyncio.Event().wait()


@pytest.mark.parametrize("api", ["Predict", "Classify", "Regress"])
def test_grpc_requests_count_by_their_method(metrics, api, kind):
    assert call(metrics, api, kind(succeed)) is GetModelStatus
    with pytest.raises(StatusError):
        call(metrics, api, kind(fail))
    count, latency = (f":tensorflow:serving:request_{end}" for end in ("count", "latency_count"))
    assert lines(metrics, count) == [
        f'{count}{{model_name="m",status="OK"}} 1',
        f'{count}{{model_name="m",status="UNAVAILABLE"}} 1',
    ]
    labels = f'model_name="m",API="{api}",entrypoint="GRPC"'
    assert lines(metrics, latency) == [f"{latency}{{{labels}}} 1"]


@pytest.mark.parametrize("name", ["MultiInference", "GetModelMetadata"])
def test_calls_that_tensorflow_serving_does_not_count_over_grpc_are_not_counted(metrics, name):
    call(metrics, name, succeed)
    assert sorted(lines(metrics, ":tensorflow:serving:request_count")) == []


def test_a_call_whose_deadline_passes_counts_as_such(metrics, kind):
    with pytest.raises(TimeoutError):
        call(metrics, "Predict", kind(hang), deadline=0.01)
    assert 'status="DEADLINE_EXCEEDED"' in lines(metrics, ":tensorflow:serving:request_count")[0]


def observation(metrics, method=RequestMethod.PREDICT, *, servable=True, code=Code.OK, examples=()):
    observed = Observation(method, ModelSpec("m"), metrics.observe)
    observed.servable = Servable("m", 3, None) if servable else None
    observed.signature = "serving_default"
    observed.examples = examples
    observed.code, observed.run_seconds, observed.seconds = code, 100e-6, 200e-6
    metrics.observe(observed)


def test_requests_count_by_version_and_signature(metrics):
    observation(metrics)
    observation(metrics, code=Code.INTERNAL)
    observation(metrics, servable=False, code=Code.NOT_FOUND)
    labels = 'model_name="m",version="3",signature="serving_default",method="Predict"'
    assert lines(metrics, "cloudserve_requests_total") == [
        f'cloudserve_requests_total{{{labels},status="OK"}} 1',
        f'cloudserve_requests_total{{{labels},status="INTERNAL"}} 1',
    ]
    assert lines(metrics, "cloudserve_request_seconds_sum") == [
        f"cloudserve_request_seconds_sum{{{labels}}} 0.0002"
    ]
    assert lines(metrics, ":tensorflow:serving:runtime_latency_sum") == [
        ':tensorflow:serving:runtime_latency_sum{model_name="m",API="Predict",runtime="TF1"} 100'
    ]


def test_examples_of_a_multi_inference_are_counted(metrics):
    observation(metrics, RequestMethod.MULTI_INFERENCE, examples=[b"", b"", b""])
    name = ":tensorflow:serving:request_example_count"
    assert lines(metrics, f"{name}_total") == [f'{name}_total{{model="m"}} 3']
    assert lines(metrics, f"{name}s_count") == [f'{name}s_count{{model="m"}} 1']


def test_versions_are_reported_with_their_states_and_the_requests_that_hold_them(metrics):
    metrics.watch(
        lambda: [
            Version("m", VersionState(1, State.END), None, 0),
            Version("m", VersionState(2, State.AVAILABLE), object(), 5),
            Version("m", VersionState(3, State.END, Code.UNKNOWN, "it is broken"), None, 0),
        ]
    )
    metrics.watch_queues(lambda: [(("m", 2), 4)])
    assert lines(metrics, "cloudserve_model_state") == [
        'cloudserve_model_state{model_name="m",version="2",state="AVAILABLE"} 1',
        'cloudserve_model_state{model_name="m",version="3",state="END"} 1',
    ]
    in_flight = 'cloudserve_requests_in_flight{model_name="m",version="2"} 5'
    assert lines(metrics, "cloudserve_requests_in_flight") == [in_flight]
    assert lines(metrics, "cloudserve_batch_queue_depth") == [
        'cloudserve_batch_queue_depth{model_name="m",version="2"} 4'
    ]


def test_batches_and_loads_are_counted_under_their_names(metrics):
    metrics.batches.queued(3)
    metrics.batches.ran("pool", [0.001, 0.002], 3, 1)
    metrics.loads.loaded(Path("/m/1"), 0.5, succeeded=True)
    metrics.loads.loaded(Path("/m/1"), 0.25, succeeded=False)
    metrics.loads.warmed(Path("/m/1"), "OK", 7, 0.001)
    metrics.graphs.ran(0.0015)
    metrics.graphs.ran(0.5)
    printed = set(lines(metrics))
    batching = ":tensorflow:serving:batching_session:"
    assert printed >= {
        f'{batching}queuing_latency_sum{{thread_pool_name="pool"}} 3000',
        f'{batching}queuing_latency_count{{thread_pool_name="pool"}} 2',
        f"{batching}wrapped_run_count{{}} 1",
        f'{batching}padding_size_sum{{execution_batch_size="4"}} 1',
        f"{batching}input_batch_size_sum{{}} 3",
        f"{batching}processed_batch_size_sum{{}} 4",
        ':tensorflow:cc:saved_model:load_attempt_count{model_path="/m/1",status="success"} 1',
        ':tensorflow:cc:saved_model:load_attempt_count{model_path="/m/1",status="fail"} 1',
        ':tensorflow:cc:saved_model:load_latency{model_path="/m/1"} 750000',
        ":tensorflow:core:graph_runs{} 2",
        ":tensorflow:core:graph_run_time_usecs{} 501500",
        ':tensorflow:core:graph_run_time_usecs_histogram_bucket{le="1000"} 0',
        ':tensorflow:core:graph_run_time_usecs_histogram_bucket{le="2000"} 1',
        ':tensorflow:core:graph_run_time_usecs_histogram_bucket{le="5.24288e+08"} 2',
        ":tensorflow:core:graph_run_time_usecs_histogram_count{} 2",
        ':tensorflow:serving:model_warmup_latency_sum{model_path="/m/1",status="OK"} 1000',
        ':tensorflow:serving:model_warmup_records_read{model_path="/m/1",status="OK"} 7',
    }


def test_two_servers_count_apart(metrics):
    metrics.answered("m", "predict", "REST", Code.OK, 1)
    assert lines(ServingMetrics(), ":tensorflow:serving:request_count") == []
