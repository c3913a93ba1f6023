"""Warm-up records that a server cannot run are found; those of the model are not."""

import pytest
from cloudserve.local_server.codecs.tfrecord import frame
from cloudserve.local_server.messages import message_class

from tests.cloudserve.check.test_rules import check, rules, save


def log(kind="predict_log", inputs=("x",), signature="", tasks=("",)):
    """Return a serialized PredictionLog."""
    message = message_class("tensorflow.serving.PredictionLog")()
    request = getattr(message, kind).request
    if kind == "multi_inference_log":
        for name in tasks:
            request.tasks.add().model_spec.signature_name = name
        return message.SerializeToString()
    if kind == "session_run_log":
        request.target.append("y")
        return message.SerializeToString()
    request.model_spec.signature_name = signature
    for name in inputs if kind == "predict_log" else ():
        request.inputs[name].dtype = 1
    return message.SerializeToString()


GOOD = frame(log())
FAULTS = {
    "one more than allowed": (GOOD * 1001, "more than the 1,000 records"),
    "truncated": (GOOD[:-1], "not a whole TFRecord file"),
    "another kind": (b"a text file with more than twelve bytes", "not a whole TFRecord file"),
    "a changed byte": (GOOD[:-6] + b"\xff" + GOOD[-5:], "not a whole TFRecord file"),
    "a changed length": (bytes([GOOD[0] - 1]) + GOOD[1:], "not a whole TFRecord file"),
    "no message": (GOOD + frame(b"not a message"), "number 2, that is not a PredictionLog"),
    "an empty record": (frame(b""), "number 1, of a kind that no server runs"),
    "a Session.run": (frame(log("session_run_log")), "of a kind that no server runs"),
    "another signature": (frame(log(signature="absent")), "for the signature absent"),
    "another signature of Examples": (
        frame(log("regress_log", signature="absent")),
        "for the signature absent",
    ),
    "a task of another signature": (
        frame(log("multi_inference_log", tasks=("", "absent"))),
        "for the signature absent",
    ),
    "another input": (frame(log(inputs=("x", "z"))), "with the input z, which serving_default"),
    "an input too few": (frame(log(inputs=())), "without the input x of serving_default"),
}


@pytest.fixture
def folder(tmp_path):
    folder = save(tmp_path / "1")
    (folder / "assets.extra").mkdir()
    return folder


def write(folder, data):
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "data", [b"", GOOD, GOOD * 1000], ids=["none", "one", "as many as allowed"]
)
def test_records_of_the_model_are_not_found(folder, data):
    assert rules(write(folder, data)) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_record_that_makes_the_load_fail(folder, name):
    data, text = FAULTS[name]
    (finding,) = check(write(folder, data)).findings
    assert (finding.rule, finding.severity) == ("warmup-records", "error")
    assert text in finding.text
