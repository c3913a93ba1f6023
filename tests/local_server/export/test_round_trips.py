"""What every kind of source answers, our server answers of its export: over REST and gRPC."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.local_server.export.clients import assert_same, running
from tests.local_server.export.trained import LONG, SHORT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in LONG]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Give one server, to which the tests add their models."""
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.mark.parametrize("name", [*SHORT, *SLOW])
def test_an_export_answers_as_its_source(server, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    tf.keras.utils.set_random_seed(7)
    questions = (SHORT | LONG)[name](tmp_path, tmp_path / "models")
    for path in tmp_path.glob("words.txt"):
        path.unlink()  # the version has its own
    server.add(name, tmp_path / "models")
    for question in questions:
        ASKED[type(question).__name__](server, name, question)


def predict(server, name, question):
    """Ask in all three forms: the JSON has the very numbers of the tensors."""
    aliases, signature = sorted(question.answer), question.signature
    outputs = server.predict(name, signature, question.feeds)
    assert sorted(outputs) == aliases
    for form in (server.by_row, server.by_column):
        answer = form(name, signature, question.feeds, aliases)
        for alias in aliases:
            assert_equal(answer[alias], outputs[alias])
    for alias in aliases:
        assert_same(texts(outputs[alias]), texts(question.answer[alias]))


def assert_equal(numbers, tensor):
    if tensor.dtype == object:
        assert numbers == texts(tensor).tolist()
    else:
        assert np.array_equal(np.asarray(numbers, tensor.dtype), tensor)


def texts(array):
    if array.dtype != object:
        return array
    flat = [one.decode() if isinstance(one, bytes) else one for one in array.ravel()]
    return np.array(flat, object).reshape(array.shape)


def classify(server, name, question):
    over_grpc = server.classify(name, question.signature, question.examples)
    body = {"signature_name": question.signature, "examples": bare(question.examples)}
    over_rest = server.rest(name, "classify", body)["results"]
    for answers in (over_grpc, over_rest):
        assert [[one[0] for one in row] for row in answers] == [
            [label for label, _ in row] for row in question.answer
        ]
        scores = [[one[1] for one in row] for row in answers]
        assert_same(scores, np.float32([[score for _, score in row] for row in question.answer]))


def regress(server, name, question):
    expected = np.float32(question.answer)
    assert_same(server.regress(name, question.signature, question.examples), expected)
    body = {"signature_name": question.signature, "examples": bare(question.examples)}
    assert_same(server.rest(name, "regress", body)["results"], expected)


def bare(examples):
    """Return Examples as the REST API has them."""
    return [{key: list(values) for key, values in one.items()} for one in examples]


ASKED = {"Predict": predict, "Classify": classify, "Regress": regress}
