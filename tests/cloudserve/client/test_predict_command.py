"""`cloudserve predict` of servers and directories: its payloads, its outputs, its refusals."""

import io
import json

import numpy as np
import pytest

from cloudserve import example
from cloudserve.cli.errors import run

IMAGES = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)


@pytest.fixture
def predict(echo, capfdbinary):
    """Give what runs the command on a transport of the echo model."""

    def ask(*arguments, address="rest"):
        code = run(["predict", echo.addresses[address], *arguments])
        captured = capfdbinary.readouterr()
        return code, captured.out, captured.err.decode()

    return ask


@pytest.mark.parametrize("address", ["rest", "grpc", "in process"])
def test_texts_are_sent_as_they_are(predict, address):
    code, out, err = predict("--signature", "string", "--text", "ä", "--text", "b", address=address)
    assert (code, json.loads(out)) == (0, {"predictions": ["ä", "b"], "version": "2"})
    assert err == "answered by version 2\n"


def test_an_array_is_read_and_written(predict, tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    code, out, _ = predict("--npy", str(tmp_path / "x.npy"), "-o", "npy")
    assert code == 0
    np.testing.assert_array_equal(np.load(io.BytesIO(out)), IMAGES)


def test_arrays_are_read_and_written_by_name(predict, tmp_path):
    np.savez(tmp_path / "x.npz", number=[1.0, 2.0], text=np.array(["a", "bc"]))
    file = str(tmp_path / "x.npz")
    code, out, _ = predict("--signature", "pair", "--npy", file, "-o", "npy")
    assert code == 0
    written = np.load(io.BytesIO(out))
    assert {name: written[name].tolist() for name in written} == {
        "number_out": [1.0, 2.0],
        "text_out": [b"a", b"bc"],
    }


def test_a_table_has_a_line_for_each_prediction(predict, tmp_path):
    np.savez(tmp_path / "x.npz", number=[1.0, 2.0], text=np.array(["a", "bc"]))
    _, out, _ = predict("--signature", "pair", "--npy", str(tmp_path / "x.npz"), "-o", "table")
    assert out.decode() == "number_out  text_out\n1.0         a\n2.0         bc\n"


def test_an_example_is_serialized(predict):
    _, out, _ = predict("--signature", "string", "--example", '{"a": [1, 2]}', "-o", "npy")
    assert np.load(io.BytesIO(out)).tolist() == [example({"a": [1, 2]})]


def test_an_image_is_pixels_or_bytes(predict, tmp_path):
    image = pytest.importorskip("PIL.Image")
    file = tmp_path / "a.png"
    image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file)
    _, out, _ = predict("--image", str(file), "--scale", "255", "-o", "npy")
    pixels = np.load(io.BytesIO(out))
    np.testing.assert_allclose(pixels.reshape(4), [0, 0.2, 0.4, 1], rtol=1e-6)
    _, out, _ = predict("--image", str(file), "--signature", "string", "-o", "npy", address="grpc")
    assert np.load(io.BytesIO(out)).tolist() == [file.read_bytes()]


def test_repeated_requests_are_summed_up(predict):
    _, _, err = predict("--signature", "string", "--text", "a", "--repeat", "5")
    assert err.splitlines()[1].startswith("5 requests: p50 ")


def test_a_json_request_is_answered_unchanged(predict, tmp_path):
    request = tmp_path / "request.json"
    request.write_text('{"signature_name": "float32", "instances": [1.5]}')
    _, out, _ = predict("--input", str(request))
    assert json.loads(out) == {"predictions": [1.5]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "a"], "you sent text; `image` takes float32 [?,2,2,1]"),
        (
            ["--text", "a", "--npy", "x"],
            "--npy and --text are given, and a request has one",
        ),
        (["--npy", "nothing.npy"], "the file cannot be read: No such file or directory"),
        (["--npy", __file__], "the file is not an array of numpy: "),
        (["--image", __file__], "the file is not an image that can be read"),
        (["--image", __file__, "--signature", "pair"], "does not take a single input: `number`"),
        (["--image", __file__, "--signature", "float32"], "is not the shape of images"),
        (["--image", __file__, "--scale", "0"], "a scale of 0 is not above 0"),
        (["--example", "{"], "the features are not JSON"),
        (["--example", "[]"], "the features are not a JSON object"),
        (["--text", "a", "--signature", "none"], "the model has no signature `none`"),
        (["--input", __file__], "the request is not JSON"),
        (["--input", __file__, "--signature", "x"], "a JSON request names its signature itself"),
        (["--text", "a", "--auth-token-file", "nothing"], "the token cannot be read"),
    ],
)
def test_a_wrong_input_is_one_sentence(predict, arguments, message):
    if "--image" in arguments:
        pytest.importorskip("PIL.Image")
    code, out, err = predict(*arguments)
    assert (code, out) == (2, b"")
    assert message in err.splitlines()[0]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("http://127.0.0.1:1", "names no model"),
        ("ftp://127.0.0.1/m", "is not the URL of a server"),
        ("./nothing", "is neither an address of a model nor an existing directory"),
        ("http://u:p@127.0.0.1/v1/models/m", "has a user, a query or a fragment"),
        ("http://127.0.0.1:x/v1/models/m", "is not a URL"),
        ("grpc://127.0.0.1:1", "names no model"),
    ],
)
def test_an_address_of_no_model_is_refused(capsys, model, message):
    assert run(["predict", model, "--text", "a"]) == 2
    assert message in capsys.readouterr().err.splitlines()[0]
