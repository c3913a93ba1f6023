"""tf.Examples of mappings."""

import numpy as np
import pytest
from cloudserve.local_server.messages import message_class
from hypothesis import given
from hypothesis import strategies as st

from cloudserve import example
from cloudserve.errors import UserError


def parsed(data):
    features = message_class("tensorflow.Example").FromString(data).features.feature
    return {
        name: (feature.WhichOneof("kind"), list(getattr(feature, feature.WhichOneof("kind")).value))
        if feature.WhichOneof("kind")
        else None
        for name, feature in features.items()
    }


def test_values_become_the_lists_of_their_kind():
    features = {
        "whole": 3,
        "true": True,
        "number": 1.5,
        "mixed": [1, 2.5],
        "text": "ä",
        "bytes": [b"\xff", "x"],
        "array": np.array([1, 2]),
        "none": None,
        "empty": [],
    }
    assert parsed(example(features)) == {
        "whole": ("int64_list", [3]),
        "true": ("int64_list", [1]),
        "number": ("float_list", [1.5]),
        "mixed": ("float_list", [1.0, 2.5]),
        "text": ("bytes_list", ["ä".encode()]),
        "bytes": ("bytes_list", [b"\xff", b"x"]),
        "array": ("int64_list", [1, 2]),
        "none": None,
        "empty": None,
    }


WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.dictionaries(st.text(max_size=3), st.lists(WHOLE, min_size=1, max_size=3), max_size=2))
def test_whole_numbers_are_exact(features):
    wanted = {name: ("int64_list", values) for name, values in features.items()}
    assert parsed(example(features)) == wanted


@pytest.mark.parametrize("value", [2**63, [1, "a"], {"a": 1}, object(), [[1]]])
def test_other_values_are_refused(value):
    with pytest.raises(UserError, match="the feature `x` has"):
        example({"x": value})
