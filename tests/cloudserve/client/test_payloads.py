"""One table of payloads, sent to a server over REST and gRPC and to a model in this process."""

import numpy as np
import pytest

from cloudserve import Client
from cloudserve.errors import RemoteError, UserError

IMAGES = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)

ANSWERED = {
    "an array": ("serving_default", IMAGES, {"image_out": IMAGES}),
    "lists": ("serving_default", IMAGES.tolist(), {"image_out": IMAGES}),
    "a column by name": ("serving_default", {"image": IMAGES}, {"image_out": IMAGES}),
    "rows by name": (
        "pair",
        [{"number": 1, "text": "a"}, {"number": 2.5, "text": b"\xff"}],
        {"number_out": [1, 2.5], "text_out": [b"a", b"\xff"]},
    ),
    "columns": (
        "pair",
        {"number": [1, 2], "text": np.array(["ä", "b"])},
        {"number_out": [1, 2], "text_out": ["ä".encode(), b"b"]},
    ),
    "wider numbers": ("float32", np.array([0.1, 1e-30]), {"x_out": np.float32([0.1, 1e-30])}),
    "whole numbers as floats": ("float64", [1, 2], {"x_out": [1.0, 2.0]}),
    "nan and infinities": (
        "float32",
        [float("nan"), float("inf"), float("-inf")],
        {"x_out": [np.nan, np.inf, -np.inf]},
    ),
    "texts": ("string", ["ä", "", '"quoted"\n'], {"x_out": ["ä".encode(), b"", b'"quoted"\n']}),
    "bytes": ("string", [b"\x00\xff\x00"], {"x_out": [b"\x00\xff\x00"]}),
    "texts of numpy": ("string", np.array([b"ab", b"c"]), {"x_out": [b"ab", b"c"]}),
    "a fixed shape": ("fixed", [1.0, 2.0], {"x_out": [1.0, 2.0]}),
    "true and false": ("bool", [True, False], {"x_out": [True, False]}),
    **{
        f"the limits of {name}": (
            name,
            [np.iinfo(name).min, np.iinfo(name).max],
            {"x_out": np.array([np.iinfo(name).min, np.iinfo(name).max], name)},
        )
        for name in ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
    },
    "half precision": ("float16", np.float16([0.1, 3]), {"x_out": np.float16([0.1, 3])}),
}
REFUSED = {
    "an empty batch": ("serving_default", [], "the batch is empty"),
    "empty columns": ("pair", {"number": [], "text": []}, "the batch is empty"),
    "flat pixels": (
        "serving_default",
        np.zeros(8),
        r"you sent 8 numbers; `image` takes float32 \[\?,2,2,1\]",
    ),
    "one image without its batch": (
        "serving_default",
        IMAGES[0],
        r"you sent an array of \[2,2,1\]; `image` takes float32 \[\?,2,2,1\]",
    ),
    "text for numbers": ("float32", ["1"], r"you sent text; `x` takes float32 \[\?\]"),
    "numbers for text": ("string", [1], r"you sent a value of type int; `x` takes string \[\?\]"),
    "an array for text": ("string", np.zeros(1), r"you sent float64; `x` takes string \[\?\]"),
    "floats for whole numbers": ("int32", [1.5], r"you sent float64; `x` takes int32 \[\?\]"),
    "true for numbers": ("int32", [True], r"you sent bool; `x` takes int32 \[\?\]"),
    "numbers for true": ("bool", [1], r"you sent int64; `x` takes bool \[\?\]"),
    "too large a number": ("uint8", [256], r"you sent numbers outside 0 to 255; `x` takes uint8"),
    "too large a float": ("float32", [1e300], "you sent numbers that float32 cannot hold"),
    "null": ("float32", [None], r"you sent null; `x` takes float32 \[\?\]"),
    "lists of different lengths": ("float32", [[1], [1, 2]], "you sent lists of different lengths"),
    "a wrong name": ("float32", {"y": [1.0]}, "`y` is not an input"),
    "a name too many": ("float32", {"x": [1.0], "y": [1.0]}, "`y` is not an input"),
    "a missing name": ("pair", {"number": [1.0]}, "`text` is missing"),
    "no names": ("pair", [1.0, 2.0], "has 2 inputs, and the payload names none"),
    "rows of different names": (
        "pair",
        [{"number": 1, "text": "a"}, {"number": 1}],
        "row 1 has other inputs than row 0",
    ),
    "columns of different lengths": (
        "pair",
        {"number": [1.0], "text": ["a", "b"]},
        "different numbers of rows: `number` 1, `text` 2",
    ),
    "an unknown signature": ("none", [1.0], "the model has no signature `none`"),
}


@pytest.fixture(scope="module", params=["rest", "grpc", "in process"])
def client(request, echo):
    with Client(echo.addresses[request.param]) as client:
        yield client


@pytest.mark.parametrize("name", ANSWERED)
def test_every_transport_answers_alike(client, name):
    signature, inputs, expected = ANSWERED[name]
    answer = client.predict(inputs, signature=signature)
    assert answer.outputs.keys() == expected.keys()
    for output, values in expected.items():
        wanted = np.array(values, object) if answer.outputs[output].dtype == object else values
        np.testing.assert_array_equal(answer.outputs[output], wanted)
    assert answer.version == "2"
    assert (answer.requests, answer.attempts) == (1, 1)


@pytest.mark.parametrize(
    "name", [n for n in ANSWERED if n.startswith(("the limits", "half", "an"))]
)
def test_outputs_have_the_dtype_of_the_signature(client, name):
    signature, inputs, expected = ANSWERED[name]
    answer = client.predict(inputs, signature=signature)
    assert [a.dtype for a in answer.outputs.values()] == [a.dtype for a in expected.values()]


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_payload_is_explained_by_the_signature(client, name):
    signature, inputs, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as caught:
        client.predict(inputs, signature=signature)
    assert caught.value.hint
    assert caught.value.where.startswith(client.where)


def test_a_version_can_be_named(client):
    assert client.predict([1.0], signature="float32", version="1").version == "1"


def test_the_hint_says_how_to_reshape(client):
    with pytest.raises(UserError) as caught:
        client.predict(np.zeros(8))
    assert caught.value.hint == "reshape it to (2, 2, 2, 1)"


def test_complex_numbers_need_grpc_or_this_process(echo):
    inputs = np.array([1 + 2j, 0], np.complex64)
    for address in (echo.grpc, echo.path):
        with Client(address) as client:
            answer = client.predict(inputs, signature="complex64")
        np.testing.assert_array_equal(answer.array, inputs)
    with Client(echo.rest) as client, pytest.raises(UserError, match="JSON has no complex numbers"):
        client.predict(inputs, signature="complex64")


def test_a_dtype_without_a_json_form_is_refused_by_the_server(echo):
    inputs = np.array([1, 2], np.uint16)
    with Client(echo.grpc) as client:
        assert client.predict(inputs, signature="uint16").array.dtype == np.uint16
    with Client(echo.rest) as client, pytest.raises(RemoteError, match="to type: uint16") as caught:
        client.predict(inputs, signature="uint16")
    assert caught.value.status == 400


def test_signatures_are_those_of_the_model(client):
    (image,) = next(s for s in client.signatures() if s.name == "serving_default").inputs
    assert (image.alias, image.dtype, image.shape) == ("image", "float32", (None, 2, 2, 1))


def test_a_json_request_is_answered_as_json(client):
    body = b'{"signature_name": "string", "instances": ["a", {"b64": "/w=="}]}'
    answer = b"".join(client.send(body).split())
    assert answer in {b'{"predictions":["a",{"b64":"/w=="}]}', b'{"predictions":["a","\xff"]}'}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_a_request_that_is_not_json_is_not_sent(client, body):
    with pytest.raises(UserError, match="the request is"):
        client.send(body)
