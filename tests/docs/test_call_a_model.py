"""The Python of "Call a model from an application" runs as it is, in one program."""

import re
from pathlib import Path

import pytest

from tests.cloudserve.client.conftest import serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "call-a-model.md"
MNIST = {"serving_default": {"image": (1, (-1, 28, 28, 1))}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("mnist"), "mnist", MNIST) as served:
        yield served


def test_the_examples_run(served, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program = "\n".join(blocks)
    program = program.replace("http://localhost:8501/v1/models/mnist", served.rest)
    program = program.replace("grpc://localhost:8500/mnist", served.grpc)
    names = {}
    exec(compile(program, str(PAGE), "exec"), names)
    for name in ("client", "patient", "divided"):
        names[name].close()
    printed = capsys.readouterr().out
    assert "you sent 784 numbers; `image` takes float32 [?,28,28,1]" in printed
    assert "reshape it to (1, 28, 28, 1)" in printed
    assert printed.endswith("1 0 ()\n")
    assert len(names["answers"]) == 8
    assert names["answer"].version == "2"
