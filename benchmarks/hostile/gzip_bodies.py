"""Small gzip bodies that unfold to large JSON: what each costs the server, and its other clients.

Run by `make bench-hostile`; not collected by pytest. Each case is one request to a server of its
own, a process whose models do nothing, while a bystander asks another model, one request after
the other. Names of cases as arguments choose some of them.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.models import Manager
from cloudserve.local_server.protocols.tfserving.rest import TfServingRest
from cloudserve.local_server.runtime.types import Tensor
from cloudserve.local_server.transport.http.server import HttpServer

from cloudserve.savedmodel.signature import Signature, TensorSpec

MEGABYTE = 2**20
MILLION = 10**6
TICKS = os.sysconf("SC_CLK_TCK")
WORST_WAIT = 0.2
DTYPES = ("float32", "string", "bool", "int64")
BASE64 = b'{"b64":"AAAA"}'
NO_FEATURE = b'{"a":null}'
SMALL = b'{"instances": [[1.0, 2.0]]}'


class Nothing:
    """A model that takes a dtype, and says how many values it was given."""

    def __init__(self, path: Path) -> None:
        inputs = (TensorSpec("x", "x:0", path.name, None),)
        outputs = (TensorSpec("y", "y:0", "int64", None),)
        signature = Signature("serving_default", "", inputs, outputs)
        self.signatures = self.all_signatures = {"serving_default": signature}

    def run(self, _signature: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"y": np.array([inputs["x"].size])}

    def close(self) -> None:
        pass


def rows(row: bytes, count: int, last: bytes, form: bytes = b"instances") -> bytes:
    """Return a body of so many rows, the last of them another."""
    return b'{"%b": [%b%b]}' % (form, (row + b",") * (count - 1), last)


def listed(value: bytes, count: int, last: bytes) -> bytes:
    """Return a list of so many values, the last of them another."""
    return b"[%b%b]" % ((value + b",") * (count - 1), last)


def nested(opening: int, closing: int) -> bytes:
    return b'{"instances": %b%b}' % (b"[" * opening, b"]" * closing)


def feature(count: int) -> bytes:
    return b'{"examples": [{"a": %b}]}' % listed(b"1", count, b"null")


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what it is sent to."""

    name: str
    model: str
    body: Callable[[], bytes]
    verb: str = "predict"


CASES = (
    Case("ragged rows", "float32", lambda: rows(b"[1,2]", 2 * MILLION, b"[1,2,3]")),
    Case("ragged all over", "float32", lambda: rows(b"[1],[]", MILLION, b"[1]")),
    Case("strings, one number", "string", lambda: rows(b'"abc"', 4 * MILLION, b"1")),
    Case("base64, one broken", "string", lambda: rows(BASE64, 2 * MILLION, b'{"b64":"A"}')),
    Case("booleans, one number", "bool", lambda: rows(b"true", 4 * MILLION, b"1")),
    Case("NaN rows", "float32", lambda: rows(b"[NaN]", 2 * MILLION, b"[1]", b"inputs")),
    Case("NaN rows, one string", "float32", lambda: rows(b"[NaN,Inf]", 2 * MILLION, b'["a"]')),
    Case("empty lists", "float32", lambda: rows(b"[]", 31 * MILLION, b"[1]")),
    Case("numbers", "float32", lambda: rows(b"1", 46 * MILLION, b"1", b"inputs")),
    Case("numbers, one string", "float32", lambda: rows(b"1", 4 * MILLION, b'"a"')),
    Case("one long row", "float32", lambda: b'{"inputs": [%b]}' % listed(b"1", 46 * MILLION, b"1")),
    Case("integers, one real", "int64", lambda: rows(b"[1,2]", 2 * MILLION, b"[1.5,2]")),
    Case("objects, one string", "float32", lambda: rows(b'{"x":[1,2]}', MILLION, b'{"x":"a"}')),
    Case("a colon twice", "float32", lambda: rows(b"[1,2]", 15 * MILLION, b'{"x"::1}')),
    Case("nested, closed", "float32", lambda: nested(46 * MILLION, 46 * MILLION)),
    Case("nested, open", "float32", lambda: nested(93 * MILLION, 0)),
    Case("a long string", "string", lambda: rows(b'"%b"' % (b"a" * 93 * MILLION), 2, b"1")),
    Case("escapes", "string", lambda: rows(b'"%b"' % (b"\\n" * 46 * MILLION), 2, b"1")),
    Case("not UTF-8", "string", lambda: rows(b'"\xff"', 4 * MILLION, b"1")),
    Case("surrogates", "string", lambda: rows(b'"\\ud83d\\ude00"', 4 * MILLION, b'"\\ud83d"')),
    Case("many keys", "float32", lambda: b'{%b"inputs":1}' % (b'"k":1,' * 12 * MILLION)),
    Case("spaces", "float32", lambda: rows(b"%b1" % (b" " * 93 * MILLION), 2, b'"a"')),
    Case("examples", "string", lambda: rows(b"{}", MILLION, NO_FEATURE, b"examples"), "classify"),
    Case("a feature's values", "string", lambda: feature(4 * MILLION), "classify"),
)


async def serve() -> None:
    """Serve the models; tell the port, and end with the standard input."""
    manager = Manager(Nothing)
    for name in (*DTYPES, "bystander"):
        await manager.load(name, 1, Path("float32" if name == "bystander" else name))
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as executor:
        server = HttpServer(TfServingRest(Inference(manager, executor)))
        await server.start()
        say(str(server.port))
        await asyncio.to_thread(sys.stdin.read)
        await server.stop()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(slots=True)
class Cost:
    """What a request cost: seconds of the server's CPU, MiB, seconds; and its answer."""

    cpu: float = 0.0
    memory: float = 0.0
    wait: float = 0.0
    answer: str = ""


def measure(case: Case, packed: bytes) -> Cost:
    """Return what a case costs a server of its own."""
    command = (sys.executable, __file__, "serve")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")
        before, size = cpu_seconds(server.pid), memory(server.pid)
        cost = Cost()
        done = threading.Event()
        bystander = threading.Thread(target=lambda: stand_by(port, done, cost))
        bystander.start()
        headers = {"Content-Encoding": "gzip"}
        status, text = post(connect(port), f"{case.model}:{case.verb}", packed, headers)
        done.set()
        bystander.join()
        cost.cpu = cpu_seconds(server.pid) - before
        cost.memory = memory(server.pid) - size
        cost.answer = f"{status} {' '.join(text[:160].decode(errors='replace').split())}"
        server.stdin.close()
    return cost


def stand_by(port: int, done: threading.Event, cost: Cost) -> None:
    """Ask another model until the request is answered, and note the longest wait."""
    connection = connect(port)
    while not done.is_set():
        began = time.perf_counter()
        status, _ = post(connection, "bystander:predict", SMALL, {})
        cost.wait = max(cost.wait, time.perf_counter() - began)
        assert status == http.HTTPStatus.OK


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=300)


def post(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    connection.request("POST", f"/v1/models/{path}", body, dict(headers))
    response = connection.getresponse()
    return response.status, response.read()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Return the most MiB that a process has had since its count was reset."""
    match = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


def main(chosen: list[str]) -> None:
    """Print the table."""
    say(f"{'case':22} {'gzip KB':>8} {'MB':>6} {'CPU s':>6} {'peak MB':>8} {'wait s':>7}  answer")
    for case in CASES:
        if chosen and case.name not in chosen:
            continue
        body = case.body()
        packed = gzip.compress(body, 9 if len(body) < 64 * MEGABYTE else 6)
        size = len(body) / MEGABYTE
        del body
        cost = measure(case, packed)
        mark = "!" if cost.wait > WORST_WAIT else " "
        say(
            f"{case.name:22} {len(packed) / 1024:8.1f} {size:6.1f} {cost.cpu:6.2f} "
            f"{cost.memory:8.0f} {cost.wait:7.3f}{mark} {cost.answer}"
        )


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main(sys.argv[1:])
