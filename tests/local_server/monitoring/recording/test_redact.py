"""Redaction: which values are written, and which rules a model refuses."""

import numpy as np
import pytest
from cloudserve.local_server.monitoring.recording.redact import Redaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from cloudserve.golden.redaction import parse_rules
from cloudserve.savedmodel.signature import Signature, TensorSpec

KEY = b"key"


def spec(alias, dtype):
    return TensorSpec(alias, f"{alias}:0", dtype, (None,))


SIGNATURE = Signature(
    "serving_default",
    "tensorflow/serving/predict",
    (spec("user", "string"), spec("age", "float32")),
    (spec("score", "float32"), spec("count", "int64")),
)


def redaction(*rules, key=KEY):
    return Redaction(parse_rules(rules), key)


def texts(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_a_dropped_field_is_left_out():
    result = redaction("drop:user").apply({"user": texts(b"anna"), "age": np.float32([40])})
    assert list(result.tensors) == ["age"]
    assert result.rules == {"user": "drop"}
    assert result.changed


def test_a_hash_is_the_same_for_the_same_text_and_key():
    values = {"user": texts(b"anna", b"berta", b"anna")}
    first = redaction("hash:user").apply(values).tensors["user"]
    assert first[0] == first[2] != first[1]
    assert list(first) == list(redaction("hash:user").apply(values).tensors["user"])
    assert first[0] != redaction("hash:user", key=b"other").apply(values).tensors["user"][0]
    assert b"anna" not in first.tolist()
    assert [len(text) for text in first] == [32] * 3


def test_without_a_key_each_recording_makes_one_up():
    values = {"user": texts(b"anna")}
    one, other = (Redaction(parse_rules(("hash:user",))) for _ in range(2))
    assert one.apply(values).tensors["user"][0] != other.apply(values).tensors["user"][0]
    assert "key" not in repr(one)


@settings(max_examples=30)
@given(
    numpy_strategies.arrays(np.float32, 3, elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(0, 5),
)
def test_a_rounded_number_is_within_half_a_step(values, digits):
    rounded = redaction(f"round:age:{digits}").apply({"age": values}).tensors["age"]
    half = 0.5 * 10.0**-digits + np.spacing(np.abs(values, dtype=np.float64))
    assert np.all(np.abs(rounded - values) <= half)
    assert np.allclose(rounded, np.round(rounded, digits))


def test_numbers_that_rounding_does_not_change_leave_the_request_as_it_is():
    assert not redaction("round:age:0").apply({"age": np.float32([40, 41])}).changed
    assert redaction("round:age:0").apply({"age": np.float32([40.5])}).changed


def test_fields_without_a_rule_are_not_touched():
    tensors = {"age": np.float32([1])}
    result = redaction("drop:user").apply(tensors)
    assert (result.tensors, result.rules, result.changed) == (tensors, {}, False)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("drop:user", ""),
        ("hash:user", ""),
        ("round:score:2", ""),
        ("drop:usr", "`drop:usr`: the model has no input or output of this name"),
        ("hash:age", "`hash:age`: float32 values cannot be hashed"),
        ("round:user:1", "`round:user:1`: string values cannot be rounded"),
        ("round:count:1", "`round:count:1`: int64 values cannot be rounded"),
    ],
)
def test_a_rule_that_does_not_fit_the_model_is_a_problem(rule, problem):
    assert redaction(rule).problem([SIGNATURE]) == problem
