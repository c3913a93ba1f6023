"""gRPC end to end on a model that does nothing: large messages, and small calls side by side.

Run by `make bench-grpc`; not collected by pytest. The client is a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
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

from cloudserve.savedmodel.signature import Signature, TensorSpec

CALLERS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
MEGABYTES = (1, 30, 300)
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


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


async def serve() -> None:
    manager = Manager(Same)
    await manager.load("same", 1, Path())
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as executor:
        server = GrpcServer(TfServingGrpc(Inference(manager, executor)))
        await server.start()
        command = (sys.executable, __file__, server.address)
        client = await asyncio.create_subprocess_exec(*command)
        await client.wait()
        await server.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"the server's memory at most: {peak:.0f} MiB")
    if client.returncode:
        raise subprocess.CalledProcessError(client.returncode, command)


async def ask(address: str) -> None:
    import_tensorflow()
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    async with grpc.aio.insecure_channel(address, options=UNLIMITED) as channel:
        stub = PredictionServiceStub(channel)
        for megabytes in MEGABYTES:
            for as_content in (False, True):
                await time_large(stub, megabytes, as_content=as_content)
        await count_small(stub)


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
    say(f"{megabytes:4} MB as {form:14} there and back: {seconds:6.2f} s")


async def count_small(stub: object) -> None:
    request = request_of(np.zeros(4, np.float32), as_content=False)
    stop_at = time.perf_counter() + SECONDS

    async def call() -> int:
        calls = 0
        while time.perf_counter() < stop_at:
            await stub.Predict(request)
            calls += 1
        return calls

    done = sum(await asyncio.gather(*(call() for _ in range(CALLERS))))
    say(f"{done / SECONDS:.0f} small calls a second, {CALLERS} at a time")


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1]) if sys.argv[1:] else serve())
