"""`saved_model_cli` of the installed TensorFlow, `cloudserve inspect` and `run` agree on models."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cloudserve.cli.errors import run
from cloudserve.savedmodel import list_versions, read_saved_model
from tests.conftest import SHARED_MODELS
from tests.local_server.export.trained import LONG, SHORT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

REAL = sorted(path.name for path in SHARED_MODELS.glob("*") if list_versions(path))
DAMAGED = {"cassava_tfhub", "tfx_pusher"}
"""Models that no loader of this TensorFlow loads."""
SHAPELESS = {"sm_half_plus_three", "tfs_half_plus_three"}
"""Models of TensorFlow 1.0 that state no shape, which saved_model_cli shows as that of a scalar."""
TAXI = {"company": ["Flash Cab"], "payment_type": ["Cash"], "trip_miles": [3.5]}
X = {"x": [2.0]}
PARSED = {
    "tfs_half": X,
    "sm_half": X,
    "tfx_taxi": TAXI,
    "frozen": X,
    "estimator": {"word": ["cat"]},
    "keras": {"pixels": [0.5] * 48},
    "in_python": {"pixels": [0.5] * 48},
}
"""An Example that the models of a name parse."""

SIGNATURE = re.compile(r"^signature_def\['(.*)'\]:$")
TENSOR = re.compile(r"^    (input|output)s\['(.*)'\] tensor_info:$")
FIELD = re.compile(r"^        (dtype|shape|name): (.*)$")


class SavedModelCli:
    """The command in a process of its own."""

    def __init__(self, process, folder):
        self._process = process
        self._file = folder / "printed"

    def __call__(self, *arguments):
        line = json.dumps([list(map(str, arguments)), str(self._file)])
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), self._file.read_text()


@pytest.fixture(scope="module")
def saved_model_cli(tmp_path_factory):
    command = [sys.executable, Path(__file__).with_name("saved_model_cli_process.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        yield SavedModelCli(process, tmp_path_factory.mktemp("cli"))
        process.stdin.close()


@pytest.fixture(params=[*REAL, *SHORT, *LONG])
def models(request, tmp_path, monkeypatch):
    """Give the versions of a model: a real one, or one that the tests train."""
    if request.param in REAL:
        return request.param, list(list_versions(SHARED_MODELS / request.param).values())
    monkeypatch.chdir(tmp_path)
    (SHORT | LONG)[request.param](tmp_path, tmp_path / "models")
    return request.param, [tmp_path / "models" / "1"]


def shown(text):
    """Return what `saved_model_cli show --all` prints of signatures."""
    signatures, tensor = {}, {}
    for line in text.splitlines():
        if match := SIGNATURE.fullmatch(line):
            current = signatures.setdefault(match[1], {"input": {}, "output": {}})
        elif match := TENSOR.fullmatch(line):
            tensor = current[match[1]].setdefault(match[2], {})
        elif match := FIELD.fullmatch(line):
            tensor[match[1]] = match[2]
        elif line.startswith("  Method name is: "):
            current["method"] = line.partition(": ")[2]
    return signatures


def inspected(document):
    """Return the same of `cloudserve inspect -o json`."""
    return {
        one["name"]: {
            "input": {each["alias"]: described(each) for each in one["inputs"]},
            "output": {each["alias"]: described(each) for each in one["outputs"]},
            "method": one["method_name"],
        }
        for one in document["signatures"]
    }


def described(tensor):
    shape = tensor["shape"]
    sizes = ["-1" if size is None else str(size) for size in shape or ()]
    return {
        "dtype": f"DT_{DTYPES.get(tensor['dtype'], tensor['dtype'].upper())}",
        "shape": "unknown_rank" if shape is None else f"({', '.join(sizes)})",
        "name": tensor["tensor_name"],
    }


DTYPES = {"float32": "FLOAT", "float64": "DOUBLE", "float32_ref": "FLOAT_REF"}


def test_inspect_shows_what_saved_model_cli_shows(models, saved_model_cli, capsys):
    name, paths = models
    for path in paths:
        status, text = saved_model_cli("show", "--dir", path, "--all")
        assert status == 0, text
        expected = shown(text)
        expected.pop("__saved_model_init_op", None)
        expected.pop("__saved_model_train_op", None)
        if name in SHAPELESS:
            expected = json.loads(json.dumps(expected).replace('"()"', '"unknown_rank"'))
        if name == "cassava_tfhub":
            continue  # inspect refuses it for its missing variables
        run(["inspect", str(path), "-o", "json"])
        assert inspected(json.loads(capsys.readouterr().out)) == expected


def inputs(name, signature, folder):
    """Return options with inputs of a signature, which both commands take."""
    parsed = next((PARSED[n] for n in PARSED if name.startswith(n)), None)
    if parsed and [spec.dtype for spec in signature.inputs] == ["string"]:
        return ["--input_examples", f"{signature.inputs[0].alias}=[{parsed}]"]
    unknown = () if name == "tfs_counter" else (2, 1)
    files, texts = [], []
    for spec in signature.inputs:
        shape = unknown if spec.shape is None else spec.shape
        sizes = [2 if size is None else size for size in shape]
        if spec.dtype == "string":
            texts.append(f"{spec.alias}={np.full(sizes, 'cat').tolist()}")
        else:
            values = np.arange(np.prod(sizes, dtype=int), dtype=spec.dtype).reshape(sizes) / 8
            np.save(folder / f"{spec.alias}.npy", values.astype(spec.dtype))
            files.append(f"{spec.alias}={folder / f'{spec.alias}.npy'}")
    flags = ["--inputs", ";".join(files)] if files else []
    return [*flags, *(["--input_exprs", ";".join(texts)] if texts else [])]


def test_run_answers_as_saved_model_cli(models, saved_model_cli, tmp_path, capsys):
    name, paths = models
    answered = 0
    for path in [] if name in DAMAGED else paths:
        for signature in read_saved_model(path).signatures:
            if not signature.inputs:
                continue  # saved_model_cli needs one
            flags = ["--dir", path, "--tag_set", "serve", "--signature_def", signature.name]
            flags += inputs(name, signature, tmp_path)
            place = tmp_path / f"{path.name}-{signature.name.replace('/', '_')}"
            theirs, text = saved_model_cli("run", *flags, "--outdir", place / "theirs")
            ours = run(["run", *map(str, flags), "--outdir", str(place / "ours")])
            assert (ours == 0) == (theirs == 0), (text, capsys.readouterr().err)
            answered += ours == 0 and assert_same_files(place / "ours", place / "theirs")
    assert answered or name in DAMAGED


def assert_same_files(ours, theirs):
    names = sorted(one.name for one in theirs.iterdir())
    assert sorted(one.name for one in ours.iterdir()) == names
    for name in names:
        first, second = (np.load(each / name, allow_pickle=True) for each in (ours, theirs))
        assert first.shape == second.shape
        assert first.astype(second.dtype).tolist() == second.tolist()
    return bool(names)
