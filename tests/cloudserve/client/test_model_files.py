"""Clients of TensorFlow Lite and ONNX files, which run in their own process."""

import numpy as np
import pytest

from cloudserve import Client
from tests.model_files import onnx_model, tflite_bytes, write

pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")


def test_a_file_and_a_version_of_a_base_path_answer(tmp_path):
    file = write(tmp_path / "half.onnx", onnx_model().SerializeToString())
    write(tmp_path / "half" / "3" / "model.tflite", tflite_bytes())
    for path, version in ((file, "1"), (tmp_path / "half", "3")):
        with Client(str(path)) as client:
            answer = client.predict(np.float32([2, 5]))
        assert answer.outputs["y"].tolist() == [3.0, 4.5]
        assert answer.version == version
