"""The recorder on a data plane with a real model: what is recorded, and what is not."""

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.requests import multi_inference, predict
from cloudserve.local_server.inference.types import Method, ModelSpec, Task
from cloudserve.local_server.models import Manager
from cloudserve.local_server.monitoring.recording.recorded_request import (
    NoJsonFormError,
    RecordedRequest,
    to_example,
)
from cloudserve.local_server.monitoring.recording.recorder import Outcome, Recorder
from cloudserve.local_server.monitoring.recording.redact import Redaction
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code, StatusError

from cloudserve.errors import ConflictError, UserError
from cloudserve.golden.file import Example, read_golden
from cloudserve.golden.recording import recording
from cloudserve.golden.redaction import parse_rules
from cloudserve.savedmodel.signature import Signature, TensorSpec

NAME = "half"


@pytest.fixture(scope="module")
def manager(shared_models):
    manager = Manager(load_model)
    version = shared_models / "tfs_half_plus_two_cpu" / "123"
    for number in (1, 2):
        asyncio.run(manager.load(NAME, number, version))
    asyncio.run(manager.load("other", 1, version))
    yield manager
    asyncio.run(manager.unload_all())


@pytest.fixture
def results():
    return []


@pytest.fixture
def file(tmp_path):
    return tmp_path / "recorded.jsonl"


@pytest.fixture
def begin(file, manager, results):
    """Begin a recording; return it and a data plane that is recorded."""
    recorders = []

    def begin(*, path=None, rng=lambda: 0.0, **options):
        chosen = recording(str(path or file), environ={}, **options)
        recorder = Recorder(chosen, lambda model, outcome: results.append((model, outcome)), rng)
        recorders.append(recorder)
        return recorder, Inference(manager, ThreadPoolExecutor(1), observer=recorder.observe)

    yield begin
    for recorder in recorders:
        recorder.close(20)


def x(*values):
    return lambda _signature: {"x": np.array(values, np.float32)}


def ask(inference, *values, **spec):
    return inference.run(predict(ModelSpec(spec.pop("name", NAME), **spec), x(*values)))


def test_a_prediction_is_recorded_as_the_rest_request_that_asks_the_same(begin, file):
    recorder, inference = begin()
    ask(inference, 1.0, 2.0, version=1)
    ask(inference, 0.1)
    recorder.close(20)
    golden = read_golden(file)
    assert golden.header.model == NAME
    assert golden.examples == (
        Example({"instances": [1.0, 2.0]}, {"predictions": [2.5, 3.0]}, version=1),
        Example({"instances": [0.1]}, {"predictions": [2.05]}, version=2),
    )


def test_numbers_that_are_not_finite_are_recorded(begin, file):
    recorder, inference = begin()
    ask(inference, float("nan"), float("inf"))
    recorder.close(20)
    (example,) = read_golden(file).examples
    assert json.dumps(example.answer) == '{"predictions": [NaN, Infinity]}'


def test_at_most_so_many_of_each_signature_of_a_version(begin, file, results):
    recorder, inference = begin(most=2)
    for number in range(5):
        ask(inference, float(number), version=1)
    ask(inference, 9.0, version=2)
    recorder.close(20)
    recorder, inference = begin(most=2)
    ask(inference, 8.0, version=1)
    ask(inference, 8.0, version=2)
    recorder.close(20)
    examples = read_golden(file).examples
    assert [(one.version, one.request["instances"][0]) for one in examples] == [
        (1, 0.0),
        (1, 1.0),
        (2, 9.0),
        (2, 8.0),
    ]
    assert {outcome for _, outcome in results} == {Outcome.RECORDED}


def test_requests_are_chosen_at_random(begin, file):
    drawn = iter([0.5, 0.1, 0.3, 0.2])
    recorder, inference = begin(rate=0.25, rng=lambda: next(drawn))
    for number in range(4):
        ask(inference, float(number))
    recorder.close(20)
    requests = [one.request["instances"] for one in read_golden(file).examples]
    assert requests == [[1.0], [3.0]]


def test_other_methods_and_errors_are_counted_and_said_once(begin, file, results, caplog):
    recorder, inference = begin(errors=True)
    tasks = [Task(ModelSpec(NAME), Method.REGRESS)]
    for _ in range(2):
        with pytest.raises(StatusError):
            inference.run(multi_inference(tasks, [b"\xff"]))
    for _ in range(2):
        with pytest.raises(StatusError):
            ask(inference, 1.0, signature="unknown")
    recorder.close(20)
    assert not file.exists()
    counts = {outcome: results.count((NAME, outcome)) for outcome in Outcome}
    assert (counts[Outcome.OTHER_METHOD], counts[Outcome.UNREADABLE]) == (2, 2)
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 2


@pytest.mark.parametrize("errors", [True, False])
def test_a_refusal_is_recorded_if_asked(begin, file, errors):
    recorder, inference = begin(errors=errors)
    wrong = predict(ModelSpec(NAME), lambda _: {"x": np.array([1], np.float64)})
    with pytest.raises(StatusError):
        inference.run(wrong)
    ask(inference, 1.0)
    recorder.close(20)
    refusals = [one.error for one in read_golden(file).examples if one.error]
    assert [(one.status, one.code) for one in refusals] == [(400, "INVALID_ARGUMENT")] * errors


def test_a_file_is_for_one_model(begin, file, results):
    recorder, inference = begin()
    ask(inference, 1.0)
    ask(inference, 1.0, name="other")
    recorder.close(20)
    assert len(read_golden(file).examples) == 1
    assert results == [(NAME, Outcome.RECORDED), ("other", Outcome.OTHER_MODEL)]


def test_a_folder_has_a_file_for_each_model(begin, tmp_path):
    recorder, inference = begin(path=f"{tmp_path}/recorded/")
    ask(inference, 1.0)
    ask(inference, 1.0, name="other")
    recorder.close(20)
    files = sorted(path.name for path in (tmp_path / "recorded").iterdir())
    assert files == ["half.golden.jsonl", "other.golden.jsonl"]


def test_a_rule_that_does_not_fit_lets_nothing_of_the_model_be_written(
    begin, file, results, caplog
):
    recorder, inference = begin(redact=("drop:y", "hash:email"))
    for _ in range(3):
        ask(inference, 1.0)
    recorder.close(20)
    assert not file.exists()
    assert results == [(NAME, Outcome.BROKEN_RULE)] * 3
    (said,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert said.endswith("`hash:email`: the model has no input or output of this name")


def test_a_changed_request_has_no_answer(begin, file):
    recorder, inference = begin(redact=("round:x:0",))
    ask(inference, 1.25)
    ask(inference, 3.0)
    recorder.close(20)
    assert read_golden(file).examples == (
        Example({"instances": [1.0]}, version=2, redacted={"x": "round:0"}),
        Example({"instances": [3.0]}, {"predictions": [3.5]}, version=2, redacted={"x": "round:0"}),
    )


def test_a_file_that_cannot_be_written_fails_no_request(begin, file, results, tmp_path, caplog):
    recorder, inference = begin(path=f"{tmp_path}/recorded/")
    (tmp_path / "recorded" / "half.golden.jsonl").mkdir()
    for _ in range(3):
        assert ask(inference, 1.0).outputs["y"] == [2.5]
    recorder.close(20)
    assert results == [(NAME, Outcome.UNWRITABLE)] * 3
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1


def test_a_folder_that_does_not_exist_is_refused(begin, tmp_path):
    with pytest.raises(UserError, match="No such file or directory"):
        begin(path=tmp_path / "none" / "file")


def spec(alias, dtype="float32"):
    return TensorSpec(alias, f"{alias}:0", dtype, None)


def recorded_request(inputs, outputs, *, more_outputs=(), signature="serving_default"):
    names = [*outputs, *more_outputs]
    interface = Signature(signature, "", tuple(map(spec, inputs)), tuple(map(spec, names)))
    return RecordedRequest("m", 1, "stable", interface, inputs, outputs, Code.OK)


def texts(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def recorded(one, *rules):
    return to_example(one, Redaction(parse_rules(rules), b"key"))


def test_several_inputs_and_outputs_are_rows_of_objects():
    one = recorded_request(
        {"a": np.float32([1, 2]), "b": texts(b"u", b"v")},
        {"p": np.float32([0.5, 1.5]), "n": np.int64([3, 4])},
        signature="both",
    )
    example = recorded(one)
    assert example.request == {
        "signature_name": "both",
        "instances": [{"a": 1.0, "b": "u"}, {"a": 2.0, "b": "v"}],
    }
    assert example.answer == {"predictions": [{"p": 0.5, "n": 3}, {"p": 1.5, "n": 4}]}
    assert (example.version, example.label, example.partial) == (1, "stable", False)


def test_tensors_of_other_sizes_are_columns():
    one = recorded_request({"a": np.float32([1, 2]), "b": np.float32(7)}, {"p": np.float32([[1]])})
    example = recorded(one)
    assert example.request == {"inputs": {"a": [1.0, 2.0], "b": 7.0}}
    assert example.answer == {"outputs": [[1.0]]}


def test_bytes_are_base64():
    one = recorded_request({"image": texts(b"\xff\xd8")}, {"name_bytes": texts(b"cat")})
    example = recorded(one)
    assert example.request == {"instances": [{"b64": "/9g="}]}
    assert example.answer == {"predictions": [{"b64": "Y2F0"}]}


def test_filtered_and_dropped_outputs_leave_a_partial_answer():
    one = recorded_request({"a": np.float32([1])}, {"p": np.float32([2])}, more_outputs=("q",))
    assert recorded(one).partial
    assert recorded(one).answer == {"predictions": [{"p": 2.0}]}
    both = recorded_request({"a": np.float32([1])}, {"p": np.float32([2]), "q": np.float32([3])})
    dropped = recorded(both, "drop:q")
    assert (dropped.answer, dropped.partial) == ({"predictions": [{"p": 2.0}]}, True)
    assert dropped.redacted == {"q": "drop"}


def test_without_any_output_there_is_no_answer():
    one = recorded(recorded_request({"a": np.float32([1])}, {"p": np.float32([2])}), "drop:p")
    assert (one.answer, one.request) == (None, {"instances": [1.0]})
    assert (one.redacted, one.is_compared) == ({"": "drop"}, False)


def test_the_rule_of_an_only_output_has_no_name():
    one = recorded(
        recorded_request({"a": np.float32([1])}, {"p": np.float32([2.345])}), "round:p:1"
    )
    assert (one.answer, one.redacted) == ({"predictions": [2.3]}, {"": "round:1"})


def test_a_request_without_a_json_form_is_refused():
    with pytest.raises(NoJsonFormError, match="nothing is left"):
        recorded(recorded_request({"a": np.float32([1])}, {"p": np.float32([2])}), "drop:a")
    lacking = RecordedRequest(
        "m", 1, "", recorded_request({"a": 0, "b": 0}, {}).signature, {"a": np.float32(1)}, {}, 0
    )
    with pytest.raises(NoJsonFormError, match="cannot leave out the input `b`"):
        recorded(lacking)
    with pytest.raises(StatusError, match="complex64"):
        recorded(recorded_request({"a": np.complex64([1])}, {"p": np.float32([2])}))


@pytest.mark.parametrize("name", ["recorded.jsonl", "folder/"])
def test_nothing_is_recorded_in_a_model(begin, tmp_path, name):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ConflictError, match="a recording would be part of the model"):
        begin(path=f"{tmp_path}/{name}")
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model.pb"]
