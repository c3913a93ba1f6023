"""The pages on servers: each keeps running until the next one starts, or the page ends."""

from __future__ import annotations

from pathlib import Path

from tests.cloudserve.client.echo import write_echo
from tests.model_files import onnx_model

from .models import PIP, RUN
from .page import Page, Room
from .terminal import Terminal

HALF = "http://127.0.0.1:8501/v1/models/half"
ASK = """curl -sf -d '{"instances": [1.0, 2.0, 5.0]}' """
THREE = f"for number in 1 2 3; do {ASK} {HALF}:predict ; done"
HUNDRED = f"for number in $(seq 100); do {ASK} {HALF}:predict >/dev/null ; done"


def _half(room: Room) -> None:
    room.copy("half", 123)
    room.copy("half_plus_three", 1, of="tfs_half_plus_three/123")
    room.write("request.json", '{"instances": [1.0, 2.0, 5.0]}')
    room.write("requests.jsonl", '{"instances": [1.0]}\n{"instances": [2.0]}\n')


def _monitored(room: Room) -> None:
    _half(room)
    (room.folder / "models" / "half").rename(room.folder / "half")
    room.copy("new", 1)
    (room.folder / "models" / "new" / "1" / "assets.extra" / "note.txt").unlink()
    (room.folder / "models" / "new" / "1" / "assets.extra").rmdir()
    room.write(
        "monitoring.config",
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n',
    )
    examples = "".join(
        f'{{"request": {{"instances": [{x}]}}, "answer": {{"predictions": [{x / 2 + 2}]}}}}\n'
        for x in (1.0, 2.0)
    )
    room.write("golden.jsonl", '{"golden": 1}\n' + examples)


def _warmed_up(room: Room, _: Terminal) -> None:
    (log,) = room.folder.glob("half/124/assets.extra/tf_serving_warmup_requests")
    assert log.stat().st_size > 0


SLOW = """\
import tensorflow as tf

class Slow(tf.Module):
    def __init__(self):
        self.weights = tf.Variable(tf.random.stateless_normal([700, 700], [1, 2]))
    @tf.function(input_signature=[tf.TensorSpec([None, 784], tf.float32, "pixels")])
    def __call__(self, pixels):
        work = tf.reduce_mean(self.weights @ self.weights)
        return {"score": tf.reduce_sum(pixels, 1) + work}

tf.saved_model.save(Slow(), "models/mnist/1")
"""
"""Makes a model whose call takes as long for many rows as for one: batching pays."""


def _recorded(room: Room) -> None:
    room.copy("half", 123)
    room.copy("half_plus_three", 1, of="tfs_half_plus_three/123")


def _mnist(room: Room) -> None:
    room.copy("mnist", 1)


def _unknown(room: Room) -> None:
    room.copy("half", 123)
    room.copy("three", 1, of="tfs_half_plus_three/123")
    room.copy("mnist", 1)
    (room.folder / "cloudserve.yaml").unlink()


def _digits(room: Room) -> None:
    Path(room.folder / "digits.onnx").write_bytes(onnx_model().SerializeToString())


def _detector(room: Room) -> None:
    _half(room)
    signatures = {"serving_default": {"image": (1, (-1, -1, -1, 3))}}
    write_echo(room.folder / "models/detector", 1, signatures=signatures)


SERVERS = {
    "docs/how-to/monitor-a-server.md": Page(
        _monitored,
        before={
            "curl -s http": THREE,
            "mkdir new": "mv models/new/1 new; " + HUNDRED,
            "cloudserve golden warmup": "cp -r half/124 new",
        },
        instead={"logs/half-20261121T142233.123456Z.tfrecord": "logs/half-*.tfrecord"},
        without={"OTEL_EXPORTER": "it needs a collector: tests/local_server/monitoring"},
        after=_warmed_up,
    ),
    "docs/how-to/watch-a-server.md": Page(
        _mnist, unlike={"cloudserve": "the console is named after the line that it is ready"}
    ),
    "docs/how-to/replace-tensorflow-serving.md": Page(
        _half, instead={"=/models/half": "=$PWD/models/half"}, without=PIP
    ),
    "docs/how-to/secure-a-server.md": Page(_half),
    "docs/how-to/serve-tflite-and-onnx.md": Page(
        _digits,
        instead={"[[0.5, 1.5]]": "[0.5, 1.5]"},
        without=PIP | {"curl -s localhost:8501/v1/models/iris": "tests/oracles/test_sklearn.py"},
    ),
    "docs/how-to/measure-a-server.md": Page(
        _detector,
        before={
            "cloudserve bench http://127.0.0.1:8501": "cloudserve serve models/half",
            "cloudserve bench http://127.0.0.1:8080": "cloudserve serve --as sagemaker models/half",
        },
        instead={
            "cloudserve bench": "cloudserve bench --duration 1",
            "--rate 2000": "--rate 100",
        },
        without={"cloudserve bench https://models.example": "a server of the reader's"},
    ),
    "docs/how-to/choose-batching.md": Page(
        lambda room: room.write("make.py", SLOW),
        before={"": RUN},
        instead={"--p99 50ms": "--p99 60s --rate 5 --duration 0.3 --max-batch-size 4"},
    ),
    "docs/how-to/record-and-replay.md": Page(
        _recorded,
        instead={"=/models/half": "=$PWD/models/half"},
        exits={
            "cloudserve serve models/half --record half.golden.jsonl --redact hash": (2,),
            "cloudserve replay": (6,),
        },
    ),
    "docs/how-to/run-models-of-others.md": Page(
        lambda room: room.copy("model", 1),
        instead={"./model": "./models/model"},
        variables={"HTTPS_PROXY": "http://127.0.0.1:1"},
    ),
    "README.md": Page(
        _unknown,
        before={"cloudserve serve": "rm -r models/mnist"},
        without=PIP | {"make": "it makes an environment, and runs the tests"},
        without_blocks=("1. Train two models",),  # tests/e2e/test_story.py
    ),
}
