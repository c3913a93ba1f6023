"""What a server cannot exceed: 1 / (transport + codec + model) requests a second.

*transport* is a constant answer of the same size to the same requests, *codec* simdjson in and
orjson out of one body (REST only), *model* the call in process: of one row for one request in
flight, else its share of a call of 32 rows. All of one thread, in the same run.
"""

from __future__ import annotations

import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import simdjson
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.runtime.session import load_model
from generators import IN_FLIGHT, ask_grpc, ask_rest
from served_models import ServedModel

BATCH = 32
NUMPY = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of the parts of a request, and the bytes of requests and answers."""

    alone: float
    """The model's call of one row."""
    batched: float
    """A row's share of a call of BATCH rows."""
    codec: float
    rest: tuple[bytes, bytes]
    grpc: tuple[bytes, bytes]

    def limit(self, transport: float, in_flight: int, api: str) -> float:
        """Return the limit for a transport's requests a second."""
        codec = self.codec if api == "REST" else 0.0
        model = self.alone if in_flight == 1 else self.batched
        return 1 / (1 / transport + codec + model)


def seconds(work: Callable[[], object]) -> float:
    """Return the least time of a call, of several repeats."""
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    return min(timer.repeat(3, number)) / number


def costs_of(path: Path, served: ServedModel) -> Costs:
    """Measure a model and the codecs of its requests."""
    model = load_model(path)
    (spec,) = model.signatures["serving_default"].inputs
    (result,) = model.signatures["serving_default"].outputs

    def call(rows: np.ndarray) -> Mapping[str, np.ndarray]:
        return model.run("serving_default", {spec.alias: rows})

    one, many = served.rows(1), served.rows(BATCH)
    answer = np.array(call(one)[result.alias])
    alone, batched = seconds(lambda: call(one)), seconds(lambda: call(many)) / BATCH
    model.close()
    body = orjson.dumps({"instances": np.round(one.astype(float), 4)}, option=NUMPY)
    return Costs(
        alone,
        batched,
        seconds(lambda: convert(body, answer)),
        (body, orjson.dumps({"predictions": answer}, option=NUMPY)),
        (
            predict_message(spec.alias, one, "inputs"),
            predict_message(result.alias, answer, "outputs"),
        ),
    )


def convert(body: bytes, answer: np.ndarray) -> bytes:
    """Read a request and write an answer."""
    numbers = simdjson.Parser().parse(body)["instances"].as_buffer(of_type="d")
    np.frombuffer(numbers, np.float64).astype(np.float32)
    return orjson.dumps({"predictions": answer}, option=NUMPY)


def predict_message(alias: str, rows: np.ndarray, field: str) -> bytes:
    """Return a PredictRequest (`inputs`) or PredictResponse (`outputs`)."""
    kind = "PredictRequest" if field == "inputs" else "PredictResponse"
    message = message_class(f"tensorflow.serving.{kind}")()
    message.model_spec.name = "model"
    to_tensor_proto(rows, getattr(message, field)[alias], as_content=True)
    return message.SerializeToString()


@contextmanager
def constant_server(api: str, answer: bytes) -> Iterator[str]:
    """Run a server of constant answers; give its authority."""
    command = [sys.executable, str(Path(__file__).with_name("constant_servers.py")), api.lower()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        process.stdin.write(answer)
        process.stdin.close()
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def transport_rates(api: str, costs: Costs) -> dict[int, float]:
    """Return the requests a second of constant answers, by requests in flight."""
    request, answer = costs.rest if api == "REST" else costs.grpc
    with constant_server(api, answer) as authority:
        if api == "REST":
            return {n: ask_rest(f"http://{authority}/", request, n).rate for n in IN_FLIGHT}
        return {n: ask_grpc(authority, request, n).rate for n in IN_FLIGHT}
