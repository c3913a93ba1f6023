"""Classify and Regress requests: recorded by REST and gRPC, replayed, and made warm-up requests."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudserve.local_server.codecs.examples import parse_examples
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.requests import classify, regress
from cloudserve.local_server.inference.types import Method, ModelSpec
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.models import Manager
from cloudserve.local_server.monitoring.recording.recorded_examples import (
    RecordedExamples,
    examples_example,
)
from cloudserve.local_server.monitoring.recording.recorded_request import NoJsonFormError
from cloudserve.local_server.monitoring.recording.recorder import Outcome, Recorder
from cloudserve.local_server.protocols.tfserving.grpc.prediction import (
    PredictionService,
    RegressionRequest,
)
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code, StatusError
from cloudserve.local_server.transport.grpc_types import Call
from cloudserve.local_server.warmup.replay import Replay
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.cli.errors import run
from cloudserve.errors import UserError
from cloudserve.golden.ask import served_locally
from cloudserve.golden.file import encode, read_golden
from cloudserve.golden.recording import recording
from cloudserve.golden.replay import replay
from cloudserve.golden.warmup import WARMUP_FILE

NAME = "half"
Example = message_class("tensorflow.Example")


def example(**features):
    result = Example()
    for name, value in features.items():
        result.features.feature[name].float_list.value.append(value)
    return result.SerializeToString()


@pytest.fixture(scope="module")
def version(shared_models):
    return shared_models / "tfs_half_plus_two_2v" / "123"


@pytest.fixture(scope="module")
def manager(version):
    manager = Manager(load_model)
    asyncio.run(manager.load(NAME, 1, version))
    yield manager
    asyncio.run(manager.unload_all())


@pytest.fixture
def begin(tmp_path, manager):
    """Give what begins a recording: it, a recorded data plane, and the outcomes."""

    def begin(**options):
        outcomes = []
        chosen = recording(str(tmp_path / "recorded.jsonl"), environ={}, **options)
        recorder = Recorder(chosen, lambda _, outcome: outcomes.append(outcome))
        inference = Inference(manager, ThreadPoolExecutor(1), observer=recorder.observe)
        return recorder, inference, outcomes

    return begin


@pytest.fixture
def recorded(begin, tmp_path):
    """Give a golden file with a classify and a regress request."""
    recorder, inference, _ = begin()
    named = ModelSpec(NAME, signature="classify_x_to_y")
    inference.run(classify(named, [example(x=1.0), example(x=0.1)]))
    inference.run(regress(ModelSpec(NAME, signature="regress_x_to_y"), [example(x=4.0)]))
    recorder.close(20)
    return tmp_path / "recorded.jsonl"


def test_they_are_recorded_as_the_rest_requests_that_ask_the_same(recorded):
    classified, regressed = read_golden(recorded).examples
    assert (classified.method, regressed.method) == ("classify", "regress")
    assert classified.request["signature_name"] == "classify_x_to_y"
    assert [one["x"] for one in classified.request["examples"]] == pytest.approx([1.0, 0.1])
    assert classified.answer == {"results": [[["", 2.5]], [["", 2.05]]]}
    assert regressed.request == {"signature_name": "regress_x_to_y", "examples": [{"x": 4.0}]}
    assert regressed.answer == {"results": [4.0]}


def test_requests_by_grpc_are_recorded_with_their_context(begin, tmp_path):
    recorder, inference, _ = begin()
    request = RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, "regress_x_to_y"
    listed = request.input.example_list_with_context
    listed.context.ParseFromString(example(x=2.0, y=7.0))
    listed.examples.add().ParseFromString(example(x=4.0))
    asyncio.run(_answer(PredictionService(inference), request))
    recorder.close(20)
    (one,) = read_golden(tmp_path / "recorded.jsonl").examples
    assert one.request["examples"] == [{"x": 4.0, "y": 7.0}]
    assert one.answer == {"results": [4.0]}


async def _answer(service, request):
    return await service.regress(Call("Regress"), request)


def test_a_replay_sends_them_to_their_method(recorded, version):
    with served_locally(version) as ask:
        result = replay(read_golden(recorded), ask)
    assert (result.requests, result.differing, result.errors) == (2, 0, ())


def test_a_replay_finds_another_answer(recorded, version, tmp_path, capsys):
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(recorded.read_text().replace('"results":[4.0]', '"results":[5.0]'))
    assert run(["replay", str(wrong), "--against", str(version)]) == 6
    assert "4.0 instead of 5.0" in " ".join(capsys.readouterr().out.split())


def test_a_subject_that_only_predicts_is_refused_before_a_request_is_sent(recorded):
    sent = []
    with pytest.raises(UserError, match="this answers only predict requests") as caught:
        replay(read_golden(recorded), sent.append)
    assert not sent
    assert "http://HOST:PORT/v1/models/NAME" in caught.value.hint


def test_their_requests_are_no_predict_requests(recorded):
    assert read_golden(recorded).requests == ()


def test_they_become_warm_up_requests(recorded, version, tmp_path):
    model = shutil.copytree(version, tmp_path / NAME / "1", copy_function=shutil.copyfile)
    output = model / WARMUP_FILE
    assert run(["golden", "warmup", str(recorded), "--out", str(output)]) == 0
    loaded = load_model(model)
    try:
        warmup = Replay(loaded)
        warmup.run(output)
        assert warmup.count == 2
    finally:
        loaded.close()


def test_with_rules_of_redaction_nothing_of_them_is_written(begin, tmp_path):
    recorder, inference, outcomes = begin(redact=("drop:x",))
    inference.run(regress(ModelSpec(NAME, signature="regress_x_to_y"), [example(x=4.0)]))
    recorder.close(20)
    assert outcomes == [Outcome.BROKEN_RULE]
    assert not (tmp_path / "recorded.jsonl").exists()


@pytest.mark.parametrize("errors", [True, False])
def test_a_refusal_is_recorded_if_asked(begin, tmp_path, errors):
    recorder, inference, _ = begin(errors=errors)
    spec = ModelSpec(NAME, signature="regress_x_to_y")
    with pytest.raises(StatusError):
        inference.run(regress(spec, [example(z=4.0)]))
    inference.run(regress(spec, [example(x=4.0)]))
    recorder.close(20)
    refusals = [one.error for one in read_golden(tmp_path / "recorded.jsonl").examples]
    codes = [one.code for one in refusals if one]
    assert codes == ["INVALID_ARGUMENT"] * errors


def test_an_example_that_cannot_be_parsed_has_no_json_form():
    with pytest.raises(NoJsonFormError):
        examples_example(of([b"\xff"]))


def of(examples):
    return RecordedExamples("m", 1, "", Method.CLASSIFY, "s", examples, None, Code.INTERNAL)


def values(kind, each):
    """Return lists of a feature's values, with their kind."""
    return st.lists(each, min_size=1, max_size=3).map(lambda listed: (kind, listed))


FEATURES = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.one_of(
        values("int64_list", st.integers(-(2**63), 2**63 - 1)),
        values("float_list", st.floats(width=32)),
        values("bytes_list", st.binary(max_size=5)),
    ),
    max_size=4,
)


@given(st.lists(FEATURES, min_size=1, max_size=3))
def test_the_recorded_request_has_the_same_features(listed):
    examples = []
    for features in listed:
        one = Example()
        for name, (kind, values) in features.items():
            getattr(one.features.feature[name], kind).value.extend(values)
        examples.append(one)
    sent = examples_example(of([one.SerializeToString() for one in examples])).request
    read = parse_examples(encode(sent)).examples
    written = [str(Example.FromString(data).features) for data in read]
    assert written == [str(one.features) for one in examples]
