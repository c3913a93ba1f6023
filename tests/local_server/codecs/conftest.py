"""Signatures of a few inputs, and predict requests decoded by them."""

import json

import pytest
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.status import StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec


def signature(**dtypes):
    inputs = tuple(TensorSpec(alias, f"{alias}:0", dtypes[alias], None) for alias in sorted(dtypes))
    return Signature("serving_default", "tensorflow/serving/predict", inputs, ())


ONE = signature(x="float32")


def decode(document, wanted=ONE):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_request(body).decode(wanted)


def refusal(document, wanted=ONE):
    with pytest.raises(StatusError) as caught:
        decode(document, wanted)
    return caught.value


def assert_array(array, expected, dtype):
    assert array.dtype == dtype
    assert array.tolist() == expected
