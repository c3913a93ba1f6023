"""Load on a server, closed loop, so many requests in flight: a rate and two percentiles.

wrk (REST) and h2load (gRPC) leave most of the CPU to a server on the same machine. If one is not
installed, `cloudserve bench` sends the load, and its notes are printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cloudserve.bench import Load, Settings, measure

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
WARM_UP = 1.0
IN_FLIGHT = (1, 16, 64)
METHOD = "/tensorflow.serving.PredictionService/Predict"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
MOST_CONNECTIONS = 4
"""Of gRPC, which clients multiplex."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s {self.p50:.2f}/{self.p99:.2f} ms"


def named() -> str:
    """Return which load generators are used."""
    rest = "wrk" if shutil.which("wrk") else "cloudserve bench (wrk is not installed)"
    grpc = "h2load" if shutil.which("h2load") else "cloudserve bench (h2load is not installed)"
    return f"load: REST {rest}, gRPC {grpc}"


def ask_rest(url: str, body: bytes, in_flight: int) -> Figures:
    """Post a body to a URL."""
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("wrk") is None:
            (file := Path(folder, "body.json")).write_bytes(body)
            return _own(url, in_flight, Settings(payload=file))
        script = Path(folder, "post.lua")
        text = f"wrk.method='POST'; wrk.body={json.dumps(body.decode())}"
        script.write_text(f"{text}; wrk.headers['Content-Type']='application/json'")
        flags = ["-t1", f"-c{in_flight}", "--latency", "-s", str(script), url]
        # wrk has no warm-up, and counts one slow first request as all that it delayed.
        subprocess.check_output(["wrk", f"-d{WARM_UP:g}s", *flags], text=True)
        out = subprocess.check_output(["wrk", f"-d{SECONDS:g}s", *flags], text=True)
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    rate = float(re.search(r"Requests/sec:\s+(\S+)", out)[1])
    return Figures(rate, _wrk_latency(out, 50), _wrk_latency(out, 99))


def _wrk_latency(out: str, percent: int) -> float:
    number, unit = re.search(rf"\n +{percent}%\s+([\d.]+)(\w+)", out).groups()
    return float(number) * UNITS[unit]


def ask_grpc(authority: str, message: bytes, in_flight: int) -> Figures:
    """Call Predict with a serialized request."""
    if shutil.which("h2load") is None:
        return _own(f"grpc://{authority}/model", in_flight, Settings())
    connections = min(in_flight, MOST_CONNECTIONS)
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        flags = [f"-D{SECONDS:g}", f"-c{connections}", f"-m{in_flight // connections}", "-t1"]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        command = ["h2load", *flags, *headers, "-d", str(body), f"--log-file={log}"]
        out = subprocess.check_output([*command, f"http://{authority}{METHOD}"], text=True)
        lines = [line.split() for line in log.read_text().splitlines()]
    if not lines or {status for _, status, _ in lines} != {"200"}:
        raise RuntimeError(out)
    times = sorted(int(took) / 1e3 for _, _, took in lines)
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])
    return Figures(rate, times[len(times) // 2], times[len(times) * 99 // 100])


def _own(url: str, in_flight: int, settings: Settings) -> Figures:
    result = measure(url, Load(connections=in_flight, seconds=SECONDS), settings)
    if result.failed or result.latency is None:
        raise RuntimeError(f"{url}: {result.failures}")
    for note in result.notes:
        print(f"    {url}: {note}")
    return Figures(result.throughput, result.latency.p50, result.latency.p99)
