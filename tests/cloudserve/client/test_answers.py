"""Answers: one value per row, and the parts of a batch as one."""

import numpy as np
import pytest

from cloudserve import Answer
from cloudserve.client.payloads.parts import join
from cloudserve.client.payloads.raw import ask_decoded
from cloudserve.client.transports.channel import Reply
from cloudserve.errors import UserError


def answer(**outputs):
    return Answer(outputs, "1", "http://host", 0.1)


def test_rows_have_a_value_of_each_output():
    predictions = answer(a=np.array([1.0, 2.0]), b=np.array([b"x", b"y"], object)).predictions
    assert predictions == [{"a": 1.0, "b": b"x"}, {"a": 2.0, "b": b"y"}]


@pytest.mark.parametrize("other", [np.ones(2), np.ones(())])
def test_outputs_with_different_numbers_of_rows_are_not_cut(other):
    with pytest.raises(UserError, match="different numbers of rows: a \\[3\\], b "):
        answer(a=np.ones(3), b=other).predictions  # noqa: B018 - a property


def test_parts_whose_rows_differ_in_length_are_joined_as_one_answer_has_them():
    parts = [Reply({"y": np.ones((1, 2))}), Reply({"y": np.zeros((2, 1))})]
    assert join(parts, "")["y"].tolist() == [[1.0, 1.0], [0.0], [0.0]]


def test_complex_numbers_have_no_json():
    class Complex:
        def predict(self, inputs, *, signature=None):
            return answer(y=np.ones(1, np.complex64))

    with pytest.raises(UserError, match="JSON has no complex numbers"):
        ask_decoded(b'{"instances": [1]}', Complex())
