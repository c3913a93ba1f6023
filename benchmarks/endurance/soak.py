"""Swap versions under load and watch the server: `make soak`, or `soak.py 60 frozen`.

A `cloudserve model-server` process serves a real model to REST and gRPC clients, broken requests
among them, while versions come and go. Prints what was asked and answered, how long it took, and
what the process held; ends with 1 when a request failed or its memory, handles or threads grew.

`frozen` and `variables` are models of 96 MB, in constants or not; before each second swap a version
that does not load is put there.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
from cloudserve.local_server.runtime.tensorflow import import_tensorflow

import_tensorflow()  # quietly, before the messages import it

from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc  # noqa: E402

MODELS = Path(__file__).parents[3] / "shared" / "models"
VERSIONS = (MODELS / "tfs_half_plus_two_cpu" / "123", MODELS / "tfs_half_plus_three" / "123")
ANSWERS = {2.5, 3.5}
BROKEN = (b'{"instances": [1.0', b"[" * 10_000, b'{"instances": ["x"]}', b"", b'{"inputs": {}}')
REST_CLIENTS, GRPC_CLIENTS = 3, 2
GROWTH = 1.10
LARGEST = 2**62
MIB = 2**20


@dataclass
class Tally:
    """What the clients saw, and what the server held each second."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    swaps: int = 0
    after_swaps: dict[int, int] = field(default_factory=dict)
    """By each tenth swap: the bytes that the server held after it."""
    memory: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)


@contextmanager
def server(folder: Path):
    """Run a model server on `folder`; gives its process, REST port and gRPC socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("cloudserve")),
        "model-server",
        "--port=0",
        f"--grpc_socket_path={folder / 'grpc'}",
        f"--rest_api_port={port}",
        f"--model_base_path={folder / 'm'}",
        "--model_name=m",
        "--max_num_load_retries=0",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        ready = threading.Event()

        def read() -> None:
            for line in process.stderr:
                if "Exporting HTTP/REST API" in line:
                    ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(120):
            raise RuntimeError("the server did not start")
        yield process, port
        process.terminate()
        if process.wait(60):
            raise RuntimeError(f"the server ended with {process.returncode}")


def ask_rest(port: int, tally: Tally, over: threading.Event) -> None:
    """Predict over kept connections; every tenth request is a broken one on its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = 0
    while not over.is_set():
        number += 1
        if number % 10 == 0:
            ask_wrongly(port, BROKEN[number // 10 % len(BROKEN)], tally)
            continue
        began = time.perf_counter()
        connection.request("POST", "/v1/models/m:predict", b'{"instances": [1.0]}')
        response = connection.getresponse()
        body = response.read()
        tally.seconds.append(time.perf_counter() - began)
        if response.status == 200 and json.loads(body)["predictions"][0] in ANSWERS:
            tally.answered["REST"] += 1
        else:
            tally.failed.append(f"REST {response.status} {body[:100]!r}")


def ask_wrongly(port: int, body: bytes, tally: Tally) -> None:
    """Send what must be refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/models/m:predict", body)
    status = connection.getresponse().status
    connection.close()
    if status == 400:
        tally.answered["refused"] += 1
    else:
        tally.failed.append(f"a broken request was answered {status}")


def ask_grpc(path: Path, tally: Tally, over: threading.Event) -> None:
    """Predict over one channel."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    request.inputs["x"].float_val.append(1.0)
    with grpc.insecure_channel(f"unix:{path}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not over.is_set():
            try:
                answer = stub.Predict(request, timeout=30)
            except grpc.RpcError as error:
                tally.failed.append(f"gRPC {error.code()} {error.details()}")
                continue
            if answer.outputs["y"].float_val[0] in ANSWERS:
                tally.answered["gRPC"] += 1
            else:
                tally.failed.append(f"gRPC answered {answer.outputs['y'].float_val}")


def write_large(path: Path, added: float, *, frozen: bool) -> None:
    """Write a SavedModel of x / 2 + added that reads 96 MB for it."""
    tf = import_tensorflow()
    module, ballast = tf.Module(), np.zeros((24, MIB), np.float32)
    module.ballast = None if frozen else tf.Variable(ballast)

    def answer(x):
        held = tf.constant(ballast) if frozen else module.ballast
        return {"y": x / 2 + added + tf.gather(held, 0)[0]}

    x = tf.TensorSpec([None], tf.float32, name="x")
    tf.saved_model.save(module, str(path), signatures=tf.function(answer, input_signature=[x]))


def prepare(folder: Path, kind: str) -> tuple[Path, Path]:
    """Return the two models that take turns."""
    if not kind:
        return VERSIONS
    paths = folder / "two", folder / "three"
    for path, added in zip(paths, (2.0, 3.0), strict=True):
        write_large(path, added, frozen=kind == "frozen")
    return paths


def fail(folder: Path, number: int, port: int, over: threading.Event) -> None:
    """Put a version that does not load in place, wait until it has failed, delete it."""
    coming = folder / "coming"
    coming.mkdir()
    # The graph is whole, the index is missing.
    shutil.copy(folder / "broken" / "saved_model.pb", coming)
    (coming / "variables").mkdir()
    coming.rename(folder / "m" / str(number))
    while states(port).get(str(number)) != "END" and not over.is_set():
        over.wait(0.05)
    shutil.rmtree(folder / "m" / str(number))


def swap(
    folder: Path, port: int, models: tuple[Path, Path], tally: Tally, over: threading.Event
) -> None:
    """Put a new version in place, wait until it serves alone, delete the one before."""
    broken = (folder / "broken").exists()
    number = 1
    while not over.is_set():
        number += 1
        if broken and number % 2:
            fail(folder, LARGEST - number, port, over)
        coming = folder / "coming"
        shutil.copytree(models[number % 2], coming)
        coming.rename(folder / "m" / str(number))
        while available(port) != [str(number)] and not over.is_set():
            over.wait(0.05)
        shutil.rmtree(folder / "m" / str(number - 1))
        tally.swaps += 1
        if tally.swaps % 10 == 0 and tally.memory:
            tally.after_swaps[tally.swaps] = tally.memory[-1]


def available(port: int) -> list[str]:
    """Return the versions that are served."""
    return [version for version, state in states(port).items() if state == "AVAILABLE"]


def states(port: int) -> dict[str, str]:
    """Return the versions' states."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v1/models/m")
    listed = json.loads(connection.getresponse().read())["model_version_status"]
    connection.close()
    return {version["version"]: version["state"] for version in listed}


def watch(pid: int, tally: Tally, over: threading.Event) -> None:
    """Note the server's memory, handles and threads every second."""
    while not over.wait(1.0):
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines())
        tally.memory.append(int(values["VmRSS"].split()[0]) * 1024)
        tally.threads.append(int(values["Threads"]))
        tally.handles.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))


def soak(seconds: float, kind: str = "") -> Tally:
    """Run everything for so many seconds."""
    tally, over = Tally(), threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = prepare(folder, kind)
        if kind:
            (folder / "broken").mkdir()
            shutil.copy(models[0] / "saved_model.pb", folder / "broken")
        shutil.copytree(models[1], folder / "m" / "1")
        with server(folder) as (process, port):
            rest = [(ask_rest, port, tally, over)] * REST_CLIENTS
            calls = [(ask_grpc, folder / "grpc", tally, over)] * GRPC_CLIENTS
            others = [(swap, folder, port, models, tally, over), (watch, process.pid, tally, over)]
            threads = [threading.Thread(target=f, args=a) for f, *a in [*rest, *calls, *others]]
            for thread in threads:
                thread.start()
            over.wait(seconds)
            over.set()
            for thread in threads:
                thread.join()
    return tally


def report(tally: Tally, seconds: float) -> bool:
    """Print the figures; return whether they are within the limits."""
    asked = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.answered.items()))
    print(f"{seconds:g} s, {tally.swaps} swaps, {asked}, {len(tally.failed)} failed")
    for line, count in Counter(tally.failed).most_common(5):
        print(f"  {count} x {line}")
    median, *_, last = statistics.quantiles(tally.seconds, n=100)[49:]
    print(f"REST: median {median * 1e3:.2f} ms, 99% {last * 1e3:.2f} ms")
    held = ", ".join(f"{n}: {size // MIB} MiB" for n, size in tally.after_swaps.items())
    print(f"memory by swaps: {held}")
    kept = [
        is_flat("memory, MiB", [size // MIB for size in tally.memory]),
        is_flat("handles", tally.handles),
        is_flat("threads", tally.threads),
    ]
    return not tally.failed and all(kept)


def is_flat(name: str, values: list[int]) -> bool:
    """Print the maxima of the first half and the last quarter; return whether they are similar."""
    early, late = max(values[: len(values) // 2]), max(values[-(len(values) // 4) :])
    print(f"{name}: {early} in the first half, {late} in the last quarter")
    return late <= early * GROWTH


if __name__ == "__main__":
    duration = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    sys.exit(0 if report(soak(duration, *sys.argv[2:]), duration) else 1)
