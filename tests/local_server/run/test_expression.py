"""The grammar of inputs: literals and numpy's makers of arrays; nothing else is ever run."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from cloudserve.local_server.run.expression import evaluate
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_literal_is_what_python_reads(value):
    assert evaluate(repr(value).replace("inf", "1e999")) == value


@pytest.mark.parametrize(
    "text",
    [
        "np.ones((2, 3))",
        "numpy.full((2,), 7, dtype=np.int32)",
        "np.arange(6).reshape(2, 3)",
        "np.arange(6).reshape((2, 3)).T",
        "np.zeros([1, 28, 28]) + 0.5",
        "-np.linspace(0, 1, 5) * 2 / 3",
        "np.array([[1, 2]], np.float32)",
        "np.array([1, 2]).astype(np.int8)",
        "np.float32(0.1)",
        "np.stack([np.ones(2), np.zeros(2)])",
        "np.tile([1, 2], 3)",
    ],
)
def test_a_call_is_what_numpy_returns(text):
    expected = eval(text, {"np": np, "numpy": np})  # the oracle
    actual = evaluate(text)
    assert np.array_equal(actual, expected)
    assert np.asarray(actual).dtype == np.asarray(expected).dtype


def test_random_values_have_the_shape(monkeypatch):
    assert evaluate("np.random.rand(2, 3)").shape == (2, 3)
    assert evaluate("np.random.randint(0, 9, (4,))").max() < 9


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "open('/etc/passwd').read()",
        "np.load('x.npy', allow_pickle=True)",
        "np.fromfile('/etc/passwd')",
        "np.ones(2).tofile('/tmp/x')",
        "np.ones(2).__class__",
        "np.core.sys.exit()",
        "(lambda: 1)()",
        "[x for x in [1]]",
        "'a' * 10**10",
        "[0] * 10",
        "2 ** 99",
        "x",
        "np",
        "np.ones",
        "{1: 2}",
        "f'{1}'",
        "1 if True else 2",
        "np.ones(*[2])",
        "np.ones(2, **{})",
        "",
        "1 +",
        "(" * 500,
    ],
)
def test_anything_else_is_refused_and_not_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not an input"):
        evaluate(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["np.ones((-1,))", "1 / 0", "np.ones('a')", "np.arange()"])
def test_an_expression_that_numpy_refuses_is_refused_with_numpys_words(text):
    with pytest.raises(UserError, match="is not an input: "):
        evaluate(text)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_one_error(text):
    try:
        evaluate(text)
    except UserError as error:
        assert "is not an input" in error.message
    else:
        ast.parse(text.strip(), mode="eval")
