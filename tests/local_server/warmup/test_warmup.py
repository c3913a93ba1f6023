"""Warm-up: a model's records run before it is served; a failing one fails the load."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from cloudserve.local_server.batching import BatchingParameters, batched
from cloudserve.local_server.codecs.tfrecord import frame
from cloudserve.local_server.models import Manager, State
from cloudserve.local_server.runtime.replicas import ReplicatedModel
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code
from cloudserve.local_server.warmup import WARMUP_FILE, warmed
from cloudserve.local_server.warmup.loader import measured


class Noted:
    """A model that passes calls on and notes them, and whether it was closed."""

    def __init__(self, model):
        self.model = model
        self.signatures, self.all_signatures = model.signatures, model.all_signatures
        self.definitions = model.definitions
        self.calls, self.closed = [], False
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def run(self, signature, inputs, wanted=()):
        self.entered.set()
        assert self.go_on.wait(60)
        outputs = self.model.run(signature, inputs, wanted)
        self.calls.append((signature, *(array.ravel().tolist() for array in outputs.values())))
        return outputs

    def close(self):
        self.closed = True


class Heard:
    """A WarmupObserver that keeps its calls without times."""

    def __init__(self):
        self.calls = []

    def loaded(self, path, seconds, *, succeeded):
        assert seconds > 0
        self.calls.append(("loaded", path, succeeded))

    def warmed(self, path, status, records, seconds):
        assert seconds > 0
        self.calls.append(("warmed", path, status, records))


@pytest.fixture(scope="module")
def messages(shared_models):
    """Give the module of `PredictionLog` and of tf.Example."""
    from cloudserve.local_server.runtime.tensorflow import import_tensorflow

    import_tensorflow()
    from tensorflow_serving.apis import prediction_log_pb2

    return prediction_log_pb2


@pytest.fixture(scope="module")
def half_plus_two(shared_models):
    model = load_model(shared_models / "tfs_half_plus_two_cpu" / "123", tags=("serve",))
    yield model
    model.close()


@pytest.fixture
def noted(half_plus_two):
    return Noted(half_plus_two)


@pytest.fixture
def path(tmp_path):
    (tmp_path / WARMUP_FILE).parent.mkdir()
    return tmp_path


@pytest.fixture
def warm(noted, path):
    """Write records, load the model with them and return it."""

    def warm(*records, raw=b"", iterations=1, observer=None):
        content = b"".join(frame(_serialized(record)) for record in records) + raw
        (path / WARMUP_FILE).write_bytes(content)
        return warmed(lambda _path: noted, iterations, observer)(path)

    return warm


@pytest.fixture
def refused(warm, noted):
    """Have a load fail over its records and return its code and text."""

    def refused(*records, **more):
        with pytest.raises(LoadError) as caught:
            warm(*records, **more)
        assert noted.closed
        return caught.value.code, caught.value.message

    return refused


def _serialized(record):
    return record if isinstance(record, bytes) else record.SerializeToString()


def predict(messages, *values, signature="", alias="x", outputs=()):
    log = messages.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "another name"
    request.model_spec.version.value = 99
    request.model_spec.signature_name = signature
    request.output_filter.extend(outputs)
    tensor = request.inputs[alias]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.extend(values)
    return log


def fill(request, x, signature):
    spec = request.model_spec
    spec.name, spec.signature_name = "another name", signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(x)


def classify(messages, x):
    log = messages.PredictionLog()
    fill(log.classify_log.request, x, "classify_x_to_y")
    return log


def regress(messages, x, signature="regress_x_to_y2"):
    log = messages.PredictionLog()
    fill(log.regress_log.request, x, signature)
    return log


def infer(messages, x):
    log = messages.PredictionLog()
    request = log.multi_inference_log.request
    for method, signature in (("regress", "regress_x_to_y"), ("classify", "classify_x_to_y")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "another name", signature
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    return log


def test_every_kind_of_record_runs_in_its_order_whatever_model_it_names(warm, noted, messages):
    records = [predict(messages, 1, 2), classify(messages, 4), regress(messages, 6)]
    assert warm(*records, infer(messages, 8)) is noted
    assert noted.calls == [
        ("serving_default", [2.5, 3]),
        ("classify_x_to_y", [4]),
        ("regress_x_to_y2", [6]),
        ("regress_x_to_y", [6]),
        ("classify_x_to_y", [6]),
    ]
    assert not noted.closed


def test_each_record_runs_as_often_as_is_asked(warm, noted, messages):
    warm(predict(messages, 1), predict(messages, 2), iterations=3)
    assert [call[1] for call in noted.calls] == [[2.5]] * 3 + [[3]] * 3


@pytest.mark.parametrize("iterations", [0, -1])
def test_it_runs_once_at_least(warm, noted, messages, iterations):
    warm(predict(messages, 1), iterations=iterations)
    assert len(noted.calls) == 1


def test_a_model_without_records_is_loaded_as_it_is(noted, tmp_path):
    heard = Heard()
    assert warmed(lambda _path: noted, observer=heard)(tmp_path) is noted
    assert heard.calls == []


def test_an_empty_file_is_fine(warm, noted, path):
    heard = Heard()
    assert warm(observer=heard) is noted
    assert heard.calls == [("warmed", path, "OK", 0)]


def test_a_load_without_a_name_for_the_signature_runs_the_default(warm, noted, messages):
    warm(predict(messages, 1, signature="serving_default"), predict(messages, 1))
    assert [call[0] for call in noted.calls] == ["serving_default"] * 2


def test_an_unknown_signature_fails_the_load(refused, messages):
    assert refused(predict(messages, 1, signature="no_such")) == (
        Code.FAILED_PRECONDITION,
        'Serving signature key "no_such" not found.',
    )


def test_a_request_that_fails_fails_the_load_with_its_code_and_text(refused, messages):
    code, text = refused(regress(messages, 1, "serving_default"))
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith("No regression inputs found in SignatureDef: inputs {")
    code, text = refused(predict(messages, 1, alias="z"))
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith("Signature input alias: x(feed name: x:0) not found in request")


def test_an_output_that_does_not_exist_fails_the_load(refused, messages):
    assert refused(predict(messages, 1, outputs=["z"])) == (
        Code.INVALID_ARGUMENT,
        "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
    )


def test_more_than_a_thousand_records_fail_the_load_once_they_ran(refused, noted, messages, path):
    assert refused(*[predict(messages, 1)] * 1002) == (
        Code.INVALID_ARGUMENT,
        f"Number of warmup records exceeds the maximum (1000) at {path / WARMUP_FILE}",
    )
    assert len(noted.calls) == 1001


def test_a_thousand_records_are_fine(warm, noted, messages):
    warm(*[predict(messages, 1)] * 1000)
    assert len(noted.calls) == 1000


@pytest.mark.parametrize(
    ("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7), (None, 0)]
)
def test_other_kinds_of_records_cannot_be_run(refused, messages, kind, number):
    log = messages.PredictionLog()
    if kind:
        getattr(log, kind).SetInParent()
    text = f"Unsupported log_type for warmup: {number}"
    assert refused(log) == (Code.UNIMPLEMENTED, text)


def test_a_record_that_is_not_a_log_is_quoted(refused, path):
    assert refused(b"malformed_record") == (
        Code.INVALID_ARGUMENT,
        f"Failed to parse warmup record: malformed_record from {path / WARMUP_FILE}",
    )


def test_only_the_start_of_a_long_record_is_quoted(refused):
    _, text = refused(b"\xff" + b"x" * 10_000)
    assert len(text) < 400


def test_a_file_that_is_not_a_tfrecord_file_is_reported(refused, messages):
    serialized = predict(messages, 1).SerializeToString()
    assert refused(raw=serialized) == (
        Code.DATA_LOSS,
        (
            "corrupted record at 0 (Is this even a TFRecord file?). "
            "Please verify your warmup data is in TFRecord format."
        ),
    )


def test_records_before_the_damage_have_run(refused, noted, messages):
    whole = frame(predict(messages, 1).SerializeToString())
    code, text = refused(predict(messages, 1), raw=whole[:-1])
    assert code is Code.DATA_LOSS
    assert text.startswith(f"truncated record at {len(whole)}")
    assert len(noted.calls) == 1


def test_a_folder_in_place_of_the_file_fails_the_load(noted, path):
    (path / WARMUP_FILE).mkdir()
    with pytest.raises(LoadError, match="the warmup records cannot be read: Is a directory"):
        warmed(lambda _path: noted)(path)
    assert noted.closed


def test_the_observer_is_called_for_loads_and_warm_ups(warm, refused, path, messages):
    heard = Heard()
    warm(predict(messages, 1), observer=heard)
    refused(predict(messages, 1), b"malformed_record", observer=heard)
    text = f"Failed to parse warmup record: malformed_record from {path / WARMUP_FILE}"
    assert heard.calls == [
        ("warmed", path, "OK", 1),
        ("warmed", path, f"INVALID_ARGUMENT: {text}", 1),
    ]


def test_a_defect_fails_the_load_and_is_not_reported_as_a_success(path, noted, messages):
    heard = Heard()
    (path / WARMUP_FILE).write_bytes(frame(predict(messages, 1).SerializeToString()))
    noted.model = None
    with pytest.raises(AttributeError):
        warmed(lambda _path: noted, 1, heard)(path)
    assert noted.closed
    assert heard.calls == [("warmed", path, "INTERNAL", 0)]


def test_an_attempt_to_load_is_reported_with_its_outcome():
    heard = Heard()
    assert measured(lambda path: path, heard)(Path("a")) == Path("a")
    with pytest.raises(ZeroDivisionError):
        measured(lambda _path: 1 / 0, heard)(Path("b"))
    assert heard.calls == [("loaded", Path("a"), True), ("loaded", Path("b"), False)]


def test_a_version_is_not_available_before_it_is_warm(noted, path, messages):
    (path / WARMUP_FILE).write_bytes(frame(predict(messages, 1).SerializeToString()))
    manager = Manager(warmed(lambda _path: noted))
    noted.go_on.clear()

    async def main():
        loading = asyncio.create_task(manager.load("m", 1, path))
        await asyncio.to_thread(noted.entered.wait, 60)
        assert manager.states("m")[0].state is State.LOADING
        noted.go_on.set()
        await loading

    asyncio.run(main())
    assert manager.states("m")[0].state is State.AVAILABLE
    assert noted.calls


def test_a_version_that_cannot_be_warmed_ends_with_the_reason(noted, path):
    (path / WARMUP_FILE).write_bytes(b"no TFRecord file at all")
    manager = Manager(warmed(lambda _path: noted))
    with pytest.raises(LoadError):
        asyncio.run(manager.load("m", 1, path))
    (state,) = manager.states("m")
    assert (state.state, state.code) == (State.END, Code.DATA_LOSS)
    assert state.message.endswith("Please verify your warmup data is in TFRecord format.")


def test_a_batched_model_is_warmed_through_its_queue(shared_models, tmp_path, messages):
    version = tmp_path / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", version)
    (version / WARMUP_FILE).parent.mkdir()
    log = predict(messages, 1, 2)
    (version / WARMUP_FILE).write_bytes(frame(log.SerializeToString()))
    heard = []

    class Batches:
        def queued(self, size):
            heard.append(size)

        def ran(self, pool, waits, size, padding):
            heard.append((pool, size, padding))

    parameters = BatchingParameters(
        max_batch_size=4, allowed_batch_sizes=(4,), thread_pool_name="pool"
    )
    load = warmed(batched(load_model, parameters, observer=Batches()), 2)
    load(version).close()
    assert heard == [2, ("pool", 2, 2)] * 2


@pytest.mark.parametrize("in_batches", [False, True])
def test_every_replica_runs_every_record(half_plus_two, messages, path, in_batches):
    replicas = [Noted(half_plus_two), Noted(half_plus_two)]
    records = [predict(messages, 1.0), classify(messages, 2.0)]
    (path / WARMUP_FILE).write_bytes(b"".join(frame(_serialized(record)) for record in records))
    parameters = BatchingParameters(num_batch_threads=1) if in_batches else None
    load = batched(lambda _path: ReplicatedModel(replicas), parameters)
    warmed(load, 2)(path).close()
    once = [("serving_default", [2.5]), ("classify_x_to_y", [3.0])]
    assert [replica.calls for replica in replicas] == [[call for call in once for _ in "ab"]] * 2
