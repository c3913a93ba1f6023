"""gRPC end to end on a model that does nothing, over both transports in one run.

Large messages there and back; small calls one at a time, side by side on one connection and on
several. Run by `make bench-grpc`; not collected by pytest. Clients and servers are processes of
their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc.aio
import numpy as np
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.models import Manager
from cloudserve.local_server.protocols.tfserving.grpc.services import TfServingGrpc
from cloudserve.local_server.runtime.tensorflow import import_tensorflow
from cloudserve.local_server.runtime.types import Tensor
from cloudserve.local_server.transport.grpc.server import GrpcServer
from cloudserve.local_server.transport.grpc_http2.server import NativeGrpcServer
from cloudserve.local_server.transport.loop import run
from h2_load import measure

from cloudserve.savedmodel.signature import Signature, TensorSpec

CALLERS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
MEGABYTES = [int(text) for text in os.environ.get("BENCH_MEGABYTES", "1 30 300").split()]
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
TRANSPORTS = {"grpcio": GrpcServer, "native": NativeGrpcServer}
PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


class Same:
    """Gives back what it is given."""

    def __init__(self, _path: Path) -> None:
        spec = TensorSpec("x", "x:0", "float32", None)
        signature = Signature("serving_default", "", (spec,), (spec,))
        self.signatures = self.all_signatures = {"serving_default": signature}

    def run(self, _signature: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(inputs)

    def close(self) -> None:
        pass


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(transport: str) -> None:
    """Serve until standard input ends."""
    manager = Manager(Same)
    await manager.load("same", 1, Path())
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as executor:
        server = TRANSPORTS[transport](TfServingGrpc(Inference(manager, executor)))
        await server.start()
        say(server.address)
        await asyncio.to_thread(sys.stdin.read)
        await server.stop()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    say(json.dumps({"MiB": round(usage.ru_maxrss / 1024), "cpu": usage.ru_utime + usage.ru_stime}))


def request_of(array: Tensor, *, as_content: bool) -> object:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = "same"
    to_tensor_proto(array, request.inputs["x"], as_content=as_content)
    return request


async def time_large(stub: object, megabytes: int, *, as_content: bool) -> None:
    array = np.arange(megabytes * 250_000, dtype=np.float32)
    request = request_of(array, as_content=as_content)
    start = time.perf_counter()
    response = await stub.Predict(request)
    seconds = time.perf_counter() - start
    assert len(response.outputs["x"].float_val) == len(array)
    form = "tensor_content" if as_content else "float_val"
    say(f"  {megabytes:4} MB as {form:14} there and back: {seconds:6.2f} s")


async def count_small(stub: object) -> None:
    """Call through grpcio's own client, CALLERS at a time on one channel."""
    request = request_of(np.zeros(4, np.float32), as_content=False)
    stop_at = time.perf_counter() + SECONDS

    async def call() -> int:
        calls = 0
        while time.perf_counter() < stop_at:
            await stub.Predict(request)
            calls += 1
        return calls

    done = sum(await asyncio.gather(*(call() for _ in range(CALLERS))))
    say(f"  Predict, grpcio's client, {CALLERS} in flight: {done / SECONDS:7.0f} /s")


async def load(address: str) -> None:
    """Call through the light client."""
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

    host, _, port = address.rpartition(":")
    predict = request_of(np.zeros(4, np.float32), as_content=False).SerializeToString()
    status = GetModelStatusRequest()
    status.model_spec.name = "same"
    calls = {"Predict": (PREDICT, predict), "GetModelStatus": (STATUS, status.SerializeToString())}
    for name, (path, message) in calls.items():
        for connections, depth in ((1, 1), (1, 64), (4, 16)):
            rate, seconds = await measure(
                host,
                int(port),
                path,
                message,
                connections=connections,
                depth=depth,
                seconds=SECONDS,
            )
            p50, p99 = seconds[len(seconds) // 2] * 1e3, seconds[len(seconds) * 99 // 100] * 1e3
            shape = f"{connections} x {depth} in flight"
            say(f"  {name:14} {shape:18} {rate:7.0f} /s, p50 {p50:6.2f} ms, p99 {p99:6.2f} ms")


async def ask(address: str) -> None:
    import_tensorflow()
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    await load(address)
    async with grpc.aio.insecure_channel(address, options=UNLIMITED) as channel:
        stub = PredictionServiceStub(channel)
        await count_small(stub)
        for megabytes in MEGABYTES:
            for as_content in (False, True):
                await time_large(stub, megabytes, as_content=as_content)


async def compare() -> None:
    """Measure each transport in a server process of its own."""
    for name in TRANSPORTS:
        command = (sys.executable, __file__, "serve", name)
        pipe = asyncio.subprocess.PIPE
        server = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        address = (await server.stdout.readline()).decode().strip()
        say(f"{name}:")
        client = await asyncio.create_subprocess_exec(sys.executable, __file__, "ask", address)
        failed = await client.wait()
        rest, _ = await server.communicate(b"")
        say(f"  the server: {rest.decode().strip()}")
        if failed:
            sys.exit(failed)


WORK = {"serve": serve, "ask": ask}


if __name__ == "__main__":
    work, *arguments = sys.argv[1:] or ["compare"]
    run(WORK[work](*arguments) if arguments else compare())
