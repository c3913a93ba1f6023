"""Two servers that are sent the same requests: status, names, types, shapes and values."""

from __future__ import annotations

import json

import pytest

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.golden.file import Tolerance
from cloudserve.golden.parity import compare_servers, digest_of
from cloudserve.savedmodel.signature import Signature, TensorSpec

REQUESTS = ({"instances": [1.0]},)
EXACT = Tolerance()


def outputs(dtype, *aliases):
    specs = tuple(TensorSpec(alias, f"{alias}:0", dtype, None) for alias in aliases)
    return Signature("serving_default", "tensorflow/serving/predict", (), specs)


def answer(predictions):
    return lambda body: json.dumps({"predictions": predictions}).encode()


def refuse(status, error=RemoteError):
    def ask(body):
        raise error("no", status=status)

    return ask


def compare(local, deployed, tolerance=EXACT, signatures=()):
    return compare_servers(REQUESTS, local, deployed, signatures, tolerance)


def test_equal_answers_differ_by_no_step():
    parity = compare(answer([2.5]), answer([2.5]))
    assert (parity.answered, parity.differing, parity.ulp) == (1, 0, 0)


def test_the_largest_distance_is_known_also_within_the_tolerance():
    next_one = 2.5 + 2**-22
    assert compare(answer([2.5]), answer([next_one])).differing == 1
    parity = compare(answer([2.5]), answer([next_one]), Tolerance(ulp=1))
    assert (parity.differing, parity.ulp) == (0, 1)
    assert parity.figures()["ulp"] == 1


def test_steps_are_those_of_the_outputs_dtype():
    far = 2.5 + 2**-50
    local, deployed = answer([2.5]), answer([far])
    assert compare(local, deployed).differing == 0  # the same float32
    parity = compare(local, deployed, signatures=[outputs("float64", "y")])
    assert (parity.differing, parity.ulp) == (1, 2)
    named = compare(
        answer([{"y": 2.5, "z": 1}]),
        answer([{"y": far, "z": 1}]),
        signatures=[outputs("float64", "y", "z")],
    )
    (finding,) = named.findings
    assert finding == (
        "output y: up to 8.88e-16 or 2 ULP away, "
        f"request 1, predictions[0].y: {far!r} instead of 2.5"
    )


@pytest.mark.parametrize(
    ("local", "deployed", "finding"),
    [
        ([1.0], [1], "1 (int) instead of 1.0 (with a point)"),
        ([1], [1.0], "1.0 (with a point) instead of 1 (int)"),
        ([[1.0]], [[1.0, 2.0]], "a list of 2 instead of a list of 1"),
        ([{"a": 1}], [{"b": 1}], "an object of b instead of an object of a"),
        (["x"], ["y"], "'y' instead of 'x'"),
    ],
)
def test_another_type_shape_name_or_text_differs_whatever_the_tolerance(local, deployed, finding):
    parity = compare(answer(local), answer(deployed), Tolerance(absolute=100.0))
    assert parity.differing == 1
    assert finding in parity.findings[0]


def test_refusals_are_alike_if_they_have_the_same_status():
    assert compare(refuse(400), refuse(400)).refused == 1
    assert compare(refuse(400), refuse(None)).refused == 1  # inside an answer of AI Platform
    parity = compare(refuse(400), refuse(500))
    assert parity.findings == (
        "request 1: an error of status 500 (no) instead of an error of status 400 (no)",
    )


def test_an_answer_instead_of_a_refusal_differs():
    parity = compare(refuse(400), answer([1.0]))
    assert parity.findings == ("request 1: an answer instead of an error of status 400 (no)",)
    assert compare(answer([1.0]), refuse(500)).differing == 1


def test_a_server_that_does_not_answer_is_no_difference():
    with pytest.raises(UnreachableError):
        compare(answer([1.0]), refuse(None, UnreachableError))


def test_requests_are_named_by_the_digest_of_what_is_sent():
    assert digest_of(REQUESTS) == digest_of([{"instances": [1.0]}])
    assert digest_of(REQUESTS) != digest_of([{"instances": [1]}])
