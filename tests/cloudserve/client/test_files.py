"""Files of arrays, images and features: those that were written can be read, damaged ones not."""

import io

import ml_dtypes
import numpy as np
import pytest

from cloudserve.client.payloads.files import read_arrays, read_example, read_image
from cloudserve.client.payloads.raw import arrays_file
from cloudserve.client.transports.rest import error_words
from cloudserve.errors import UserError
from cloudserve.savedmodel import TensorSpec

NUMBERS = np.arange(1000.0)


def written(outputs):
    file = io.BytesIO()
    arrays_file(outputs, file)
    file.seek(0)
    return np.load(file)


def test_an_output_may_have_the_name_of_a_parameter_of_savez():
    arrays = {"file": np.ones(2), "allow_pickle": np.zeros(1), "a/b": np.ones((1, 1))}
    outputs = written(arrays)
    assert {name: outputs[name].tolist() for name in outputs} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_a_dtype_that_numpy_does_not_write_becomes_float32():
    array = written({"y": np.array([1.5], ml_dtypes.bfloat16)})
    assert (array.dtype.name, array.tolist()) == ("float32", [1.5])


@pytest.mark.parametrize("values", [[b"a\0"], [[1], [1, 2]]])
def test_values_without_a_form_in_numpys_files_are_refused(values):
    array = np.empty(len(values), object)
    array[:] = values
    with pytest.raises(UserError, match=r"no form in a \.npy file"):
        arrays_file({"y": array}, io.BytesIO())


def damaged():
    archive, array = io.BytesIO(), io.BytesIO()
    np.savez_compressed(archive, a=NUMBERS)
    np.save(array, NUMBERS)
    data = bytearray(archive.getvalue())
    yield "a truncated archive", bytes(data[: len(data) // 2])
    data[60:90] = bytes(30)
    yield "a damaged member", bytes(data)
    yield (
        "an impossible shape",
        array.getvalue().replace(b"(1000,), }  ", b"(9" + b"9" * 11 + b",), }"),
    )
    yield "an empty file", b""


@pytest.mark.parametrize(("name", "data"), list(damaged()))
def test_a_damaged_file_of_arrays_is_one_error(tmp_path, name, data):
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(UserError, match="is not an array of numpy"):
        read_arrays(tmp_path / "x.npz")


def test_a_file_of_another_kind_is_refused_without_advice_to_load_objects(tmp_path):
    (tmp_path / "x.npy").write_text('{"instances": [1.0]}')
    with pytest.raises(UserError) as caught:
        read_arrays(tmp_path / "x.npy")
    assert "allow_pickle" not in caught.value.message
    assert caught.value.message.startswith("the file is not an array of numpy: ")


@pytest.mark.parametrize(
    "body", [b'{"error": "no x"}', b'{"error": {"code": 404, "message": "no x"}}', b"no x"]
)
def test_the_words_of_an_error_are_its_message(body):
    assert error_words(body) == "no x"


def test_one_array_is_read_by_its_name(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(1), b=np.zeros(1))
    assert read_arrays(tmp_path / "x.npz", "b").tolist() == [0.0]
    with pytest.raises(UserError, match="it has 2 arrays"):
        read_arrays(tmp_path / "x.npz", "")


@pytest.mark.parametrize("data", [b"P6 1x 1 255\nabc", b"P6 9 9 255\nabc", b"text"])
def test_a_damaged_image_is_one_error(tmp_path, data):
    (tmp_path / "x.ppm").write_bytes(data)
    with pytest.raises(UserError, match="is not an image"):
        read_image(tmp_path / "x.ppm", TensorSpec("x", "x:0", "uint8", (None, 1, 1, 3)))


@pytest.mark.parametrize(
    "text", ['{"a": "\\ud800"}', '{"\\ud800": 1}', "[" * 100_000, f'{{"a": [0.5, 1{"0" * 400}]}}']
)
def test_features_that_an_example_cannot_hold_are_one_error(text):
    with pytest.raises(UserError):
        read_example(text)
