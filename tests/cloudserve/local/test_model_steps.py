"""The texts of steps before and after a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.local.model_steps import (
    ArgMax,
    Cast,
    Normalize,
    Rescale,
    Resize,
    Sigmoid,
    Softmax,
    TopK,
    input_step,
    output_step,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def test_each_step_has_a_text():
    assert input_step("cast:uint8") == Cast("uint8")
    assert input_step("resize:224x160") == Resize(224, 160)
    assert input_step("resize:2x3:nearest") == Resize(2, 3, "nearest")
    assert input_step("rescale:1/255") == Rescale(1 / 255)
    assert input_step("rescale:1/127.5:-1") == Rescale(1 / 127.5, -1.0)
    assert input_step("normalize:1,2:1/2") == Normalize((1.0, 2.0), (0.5,))
    assert output_step("softmax") == Softmax()
    assert output_step("sigmoid") == Sigmoid()
    assert output_step("argmax") == ArgMax()
    assert output_step("argmax:a:b.txt") == ArgMax(Path("a:b.txt"))
    assert output_step("top_k:5:labels.txt") == TopK(5, Path("labels.txt"))


@given(scale=NUMBERS.filter(bool), offset=NUMBERS)
def test_any_finite_numbers_scale(scale, offset):
    assert input_step(f"rescale:{scale!r}:{offset!r}") == Rescale(scale, offset)


@pytest.mark.parametrize(
    "text",
    ["", "blur", "cast", "cast:float8", "resize:3", "resize:0x3", "resize:3x3:wild", "rescale",
     "rescale:", "rescale:0", "rescale:nan", "rescale:1e999", "rescale:1/0", "rescale:a",
     "normalize:1", "normalize:1:0", "normalize:1:-1", "normalize::1", "normalize:1:2:3"],
)  # fmt: skip
def test_another_text_is_one_error(text):
    with pytest.raises(UserError) as caught:
        input_step(text)
    assert caught.value.hint


@given(text=st.text(max_size=12))
def test_no_text_is_another_error(text):
    for parse in (input_step, output_step):
        for prefix in ("", "cast:", "resize:", "rescale:", "normalize:", "argmax:", "top_k:"):
            try:
                parse(prefix + text)
            except UserError as error:
                assert error.hint
