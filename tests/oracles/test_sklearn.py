"""The scikit-learn section of docs/how-to/serve-tflite-and-onnx.md, with scikit-learn and skl2onnx.

SKLEARN is the Python of an environment that has both (`make oracle-sklearn`).
"""

import asyncio
import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.server import ModelServer

from cloudserve.local.servers import ServeCommand

PYTHON = os.environ.get("SKLEARN", "")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve-tflite-and-onnx.md"
ANSWERS = """
import json
labels = model.predict(features).tolist()
probabilities = model.predict_proba(features).tolist()
print(json.dumps({"rows": features.tolist(), "labels": labels, "probabilities": probabilities}))
"""

pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make oracle-sklearn`")


def run_page(folder, change=lambda code: code):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    command = [str(Path(PYTHON).absolute()), "-c", change(code) + ANSWERS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def predict(path, rows):
    def ask(server):
        url = f"{server.address}/v1/models/iris:predict"
        body = json.dumps({"instances": rows}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
            return json.load(answer)["predictions"]

    async def main():
        server = ModelServer(serve_options(path, ServeCommand()))
        await server.start()
        try:
            return await asyncio.to_thread(ask, server)
        finally:
            await server.stop()

    return asyncio.run(main())


def test_the_served_model_answers_as_scikit_learn(tmp_path):
    expected = run_page(tmp_path)
    answers = predict(tmp_path / "iris.onnx", expected["rows"])
    assert len(answers) == 150
    assert [answer["label"] for answer in answers] == expected["labels"]
    for answer, probabilities in zip(answers, expected["probabilities"], strict=True):
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        "ensemble.RandomForestClassifier(20)",
        "ensemble.GradientBoostingClassifier(n_estimators=20)",
        "pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC(probability=True))",
        "neighbors.KNeighborsClassifier()",
    ],
)
@pytest.mark.filterwarnings("default")
def test_other_models_answer_as_scikit_learn(tmp_path, model):
    def change(code):
        imports = "from sklearn import ensemble, neighbors, pipeline, preprocessing, svm\n"
        return imports + code.replace("LogisticRegression(max_iter=500)", model)

    expected = run_page(tmp_path, change)
    answers = predict(tmp_path / "iris.onnx", expected["rows"])
    wrong = sum(
        answer["label"] != label for answer, label in zip(answers, expected["labels"], strict=True)
    )
    # float32 decides a tie, or a threshold between two neighbours, differently.
    assert wrong <= 1


def test_the_export_with_maps_is_refused_with_the_option_that_avoids_them(tmp_path):
    from cloudserve.errors import ModelError
    from cloudserve.modelfiles.files import find_model_file
    from cloudserve.modelfiles.model import read_model_file

    run_page(tmp_path, lambda code: code.replace(', options={"zipmap": False}', ""))
    with pytest.raises(ModelError) as caught:
        read_model_file(find_model_file(tmp_path / "iris.onnx"))
    message = "the output output_probability is a sequence, and requests have tensors only"
    assert caught.value.message == message
    assert "'zipmap': False" in caught.value.hint
