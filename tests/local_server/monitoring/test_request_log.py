"""The request log: its records, its sampling, and that no request waits for it."""

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.codecs.tfrecord import read_records
from cloudserve.local_server.config import LoggingConfig, ModelConfig
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.requests import classify, multi_inference, predict, regress
from cloudserve.local_server.inference.types import ModelSpec, Prediction, Task
from cloudserve.local_server.models import Manager
from cloudserve.local_server.monitoring.log_options import LogLimits, RequestLogOptions
from cloudserve.local_server.monitoring.log_records import Entry, to_record
from cloudserve.local_server.monitoring.request_log import RequestLog
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.warmup import WARMUP_FILE, warmed

from cloudserve.savedmodel.signature import Signature, TensorSpec

NAME = "half"


@pytest.fixture(scope="module")
def version(shared_models):
    return shared_models / "tfs_half_plus_two_cpu" / "123"


@pytest.fixture(scope="module")
def manager(version):
    manager = Manager(load_model)
    asyncio.run(manager.load(NAME, 123, version))
    yield manager
    asyncio.run(manager.unload_all())


@pytest.fixture
def results():
    return []


@pytest.fixture
def start(tmp_path, results, manager):
    """Start a log into tmp_path; return it and a data plane that is logged."""
    logs = []

    def start(*models, rng=lambda: 0.0, **options):
        settings = RequestLogOptions(**{"directory": tmp_path, **options})
        log = RequestLog(settings, lambda model, code: results.append((model, code)), rng)
        log.configure(models or [ModelConfig(NAME, "/m")])
        logs.append(log)
        return log, Inference(manager, ThreadPoolExecutor(1), observer=log.observe)

    yield start
    for log in logs:
        log.close(20)


def example(x):
    from tensorflow.core.example.example_pb2 import Example

    written = Example()
    written.features.feature["x"].float_list.value.append(x)
    return written.SerializeToString()


def x(*values):
    return lambda _signature: {"x": np.array(values, np.float32)[:, None]}


def read(folder):
    """Return the records of all files of a folder, the oldest first."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    paths = sorted(path for path in folder.iterdir() if path.suffix == ".tfrecord")
    return [PredictionLog.FromString(record) for path in paths for record in raw(path)]


def raw(path):
    with path.open("rb") as file:
        return list(read_records(file))


def ask_everything(inference):
    inference.run(predict(ModelSpec(NAME), x(1, 2)))
    inference.run(classify(ModelSpec(NAME, signature="classify_x_to_y"), [example(4)]))
    inference.run(regress(ModelSpec(NAME, signature="regress_x_to_y2"), [example(6)]))
    tasks = [
        Task(ModelSpec(NAME, signature="regress_x_to_y"), "tensorflow/serving/regress"),
        Task(ModelSpec(NAME, signature="classify_x_to_y"), "tensorflow/serving/classify"),
    ]
    inference.run(multi_inference(tasks, [example(8)]))


def test_every_kind_of_request_is_written_as_the_grpc_request_that_asks_the_same(
    start, tmp_path, results
):
    import tensorflow as tf

    log, inference = start()
    ask_everything(inference)
    log.close(20)
    predicted, classified, regressed, both = read(tmp_path)
    request, response = predicted.predict_log.request, predicted.predict_log.response
    assert (request.model_spec.name, request.model_spec.signature_name) == (NAME, "serving_default")
    assert not request.model_spec.HasField("version")
    assert tf.make_ndarray(request.inputs["x"]).tolist() == [[1], [2]]
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [[2.5], [3]]
    assert response.model_spec.version.value == 123
    assert predicted.log_metadata.model_spec.version.value == 123
    assert predicted.log_metadata.sampling_config.sampling_rate == 1

    request, response = classified.classify_log.request, classified.classify_log.response
    (written,) = request.input.example_list.examples
    assert written.features.feature["x"].float_list.value[:] == [4]
    assert response.result.classifications[0].classes[0].score == 4

    assert regressed.regress_log.request.model_spec.signature_name == "regress_x_to_y2"
    assert regressed.regress_log.response.result.regressions[0].value == 6

    request, response = both.multi_inference_log.request, both.multi_inference_log.response
    assert [task.method_name[-8:] for task in request.tasks] == ["/regress", "classify"]
    assert response.results[0].regression_result.regressions[0].value == 6
    assert response.results[1].classification_result.classifications[0].classes[0].score == 6
    assert results == [(NAME, Code.OK)] * 4


def test_a_file_of_the_log_warms_a_version_up_as_it_is(start, tmp_path, version):
    log, inference = start()
    ask_everything(inference)
    log.close(20)
    (file,) = tmp_path.glob("*.tfrecord")
    shutil.copytree(version, tmp_path / "1")
    (tmp_path / "1" / WARMUP_FILE).parent.mkdir()
    shutil.copy(file, tmp_path / "1" / WARMUP_FILE)
    results = []

    class Heard:
        def loaded(self, path, seconds, *, succeeded):
            raise AssertionError

        def warmed(self, path, status, records, seconds):
            results.append((status, records))

    warmed(load_model, 1, Heard())(tmp_path / "1").close()
    assert results == [("OK", 4)]


def test_tensorflow_reads_the_file(start, tmp_path):
    import tensorflow as tf

    log, inference = start()
    inference.run(predict(ModelSpec(NAME), x(1)))
    log.close(20)
    (file,) = tmp_path.glob("*.tfrecord")
    assert list(tf.compat.v1.io.tf_record_iterator(str(file))) == raw(file)


def test_requests_that_fail_are_not_logged(start, tmp_path, results):
    log, inference = start()
    for spec in (ModelSpec("nobody"), ModelSpec(NAME, signature="none")):
        with pytest.raises(StatusError):
            inference.run(predict(spec, x(1)))
    log.close(20)
    assert results == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rate", "logged"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_the_sampling_rate_says_which_part_is_logged(start, tmp_path, rate, logged):
    samples = iter([0.0, 0.25, 0.5, 0.75, 0.24, 0.3, 0.99, 0.5])
    log, inference = start(sampling_rate=rate, rng=lambda: next(samples))
    for number in range(8):
        inference.run(predict(ModelSpec(NAME), x(number)))
    log.close(20)
    records = read(tmp_path)
    assert len(records) == logged
    assert {r.log_metadata.sampling_config.sampling_rate for r in records} <= {rate}


def test_a_model_is_logged_as_its_configuration_says_and_others_are_not(start, tmp_path, results):
    config = LoggingConfig(str(tmp_path / "own" / "requests"), 1.0)
    log, inference = start(ModelConfig(NAME, "/m", logging=config), directory=None)
    inference.run(predict(ModelSpec(NAME), x(1)))
    log.close(20)
    (file,) = (tmp_path / "own").iterdir()
    assert file.name.startswith("requests-")
    other, inference = start(ModelConfig(NAME, "/m"), directory=None)
    inference.run(predict(ModelSpec(NAME), x(1)))
    other.close(20)
    assert results == [(NAME, Code.OK)]


def test_a_new_configuration_counts_from_then_on(start, tmp_path):
    log, inference = start()
    inference.run(predict(ModelSpec(NAME), x(1)))
    log.configure([ModelConfig(NAME, "/m", logging=LoggingConfig(str(tmp_path / "b" / "r"), 1.0))])
    inference.run(predict(ModelSpec(NAME), x(2)))
    log.configure([])
    inference.run(predict(ModelSpec(NAME), x(3)))
    log.close(20)
    assert len(read(tmp_path)) == len(read(tmp_path / "b")) == 1


def test_a_name_that_is_a_path_stays_within_the_directory(start, tmp_path, version):
    name = "../../a/b"
    manager = Manager(load_model)
    asyncio.run(manager.load(name, 1, version))
    log, _ = start(ModelConfig(name, "/m"), directory=tmp_path / "logs" / "deep")
    inference = Inference(manager, ThreadPoolExecutor(1), observer=log.observe)
    inference.run(predict(ModelSpec(name), x(1)))
    log.close(20)
    asyncio.run(manager.unload_all())
    (file,) = (tmp_path / "logs" / "deep").iterdir()
    assert file.name.startswith("..%2F..%2Fa%2Fb-")


class Held:
    """A Logged whose first call waits, which holds up the thread that writes."""

    def __init__(self):
        self.results, self.entered, self.go_on = [], threading.Event(), threading.Event()

    def __call__(self, model, code):
        self.results.append(code)
        if threading.current_thread().name == "request-log":
            self.entered.set()
            assert self.go_on.wait(20)


@pytest.mark.parametrize(
    ("options", "kept"), [({"queue_records": 2}, 2), ({"queue_bytes": 3 * 16}, 3)]
)
def test_requests_that_find_the_queue_full_are_dropped_and_counted(
    manager, tmp_path, options, kept
):
    held = Held()
    log = RequestLog(RequestLogOptions(tmp_path, **options), held)
    log.configure([ModelConfig(NAME, "/m")])
    inference = Inference(manager, ThreadPoolExecutor(1), observer=log.observe)
    inference.run(predict(ModelSpec(NAME), x(0, 0)))
    assert held.entered.wait(20)
    for number in range(5):  # 8 bytes in and 8 out each
        inference.run(predict(ModelSpec(NAME), x(number, number)))
    assert held.results == [Code.OK] + [Code.RESOURCE_EXHAUSTED] * (5 - kept)
    held.go_on.set()
    log.close(20)
    assert held.results.count(Code.OK) == 1 + kept
    assert len(read(tmp_path)) == 1 + kept


def test_a_request_after_the_close_is_dropped(start, tmp_path, results):
    log, inference = start()
    log.close(20)
    inference.run(predict(ModelSpec(NAME), x(1)))
    assert results == [(NAME, Code.RESOURCE_EXHAUSTED)]
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_is_reported_once_and_fails_no_request(
    start, tmp_path, results, caplog
):
    (tmp_path / "file").touch()
    log, inference = start(directory=tmp_path / "file")
    for number in range(3):
        assert inference.run(predict(ModelSpec(NAME), x(number))).outputs
    log.close(20)
    assert results == [(NAME, Code.UNAVAILABLE)] * 3
    assert caplog.text.count("requests are not logged: [Errno ") == 1


def test_a_request_larger_than_a_file_is_ignored(start, tmp_path, results):
    log, inference = start(limits=LogLimits(total_bytes=2000))
    inference.run(predict(ModelSpec(NAME), x(*range(1000))))
    inference.run(predict(ModelSpec(NAME), x(1)))
    log.close(20)
    assert results == [(NAME, Code.UNAVAILABLE), (NAME, Code.OK)]
    assert len(read(tmp_path)) == 1


def test_many_threads_log_whole_records_of_their_own(start, tmp_path):
    log, inference = start(queue_records=10_000)

    def ask(number):
        inference.run(predict(ModelSpec(NAME), x(number, number + 0.5)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(400)))
    log.close(20)
    contents = [each.predict_log.request.inputs["x"].tensor_content for each in read(tmp_path)]
    pairs = sorted(np.frombuffer(content, np.float32).tolist() for content in contents)
    assert pairs == [[number, number + 0.5] for number in range(400)]


def test_a_file_holds_no_more_records_than_a_warm_up_takes(start, tmp_path):
    log, inference = start(queue_records=10_000)
    for _ in range(1001):
        inference.run(predict(ModelSpec(NAME), x(1)))
    log.close(20)
    assert [len(raw(path)) for path in sorted(tmp_path.iterdir())] == [1000, 1]


@pytest.mark.parametrize(("answered", "output_filter"), [(("y", "z"), []), (("z",), ["z"])])
def test_outputs_that_were_not_asked_for_are_not_asked_for_by_the_record(answered, output_filter):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    both = tuple(TensorSpec(alias, f"{alias}:0", "float32", None) for alias in "yz")
    outputs = {alias: np.float32([1]) for alias in answered}
    prediction = Prediction(ModelSpec("m", 1), Signature("s", "", (), both), outputs)
    record = to_record(Entry("m", prediction, {}, (), (), 1.0))
    log = PredictionLog.FromString(record).predict_log
    assert list(log.request.output_filter) == output_filter
    assert set(log.response.outputs) == set(answered)
