"""The server against its limits, in one run: `make bench`; with peers: `make bench-peers`.

For each model: transport, codec and model limits, `cloudserve serve` over REST and gRPC with 1, 16
and 64 requests in flight, each with its share of the limit (`limits.py`), the time from the start
to the first answer, and the memory over a bare process. Nothing fails; not collected by pytest.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from generators import IN_FLIGHT, Figures, ask_grpc, ask_rest, named
from limits import Costs, costs_of, transport_rates
from peers import peers, running
from served_models import MODELS, ServedModel
from starts import show_starts

from cloudserve.bench.child import child_server

PARTS = ("rest", "grpc", "start", "peers")
GRPCIO = ("--grpc-transport", "grpcio")
NO_BATCHING = ("--no-batching",)
SERVERS = {
    "REST": {"": (), ", --no-batching": NO_BATCHING},
    "gRPC": {"": (), ", --no-batching": NO_BATCHING, " by grpcio": GRPCIO},
}


def show(name: str, cells: Mapping[int, object]) -> None:
    """Print a row, a cell for each number of requests in flight."""
    print(f"  {name:<34}" + "".join(f"{cell!s:<32}" for cell in cells.values()), flush=True)


def scored(figures: Mapping[int, Figures], limits: Mapping[int, float]) -> dict[int, str]:
    """Return the cells of a server: figures and the share of the limit."""
    return {n: f"{figures[n].rate / limits[n]:4.2f} = {figures[n]}" for n in figures}


def measure_api(api: str, path: Path, costs: Costs) -> dict[int, float]:
    """Print the limits and the server's figures; return the limits."""
    transport = transport_rates(api, costs)
    limits = {n: costs.limit(rate, n, api) for n, rate in transport.items()}
    show(f"{api} transport", {n: f"{rate:,.0f}/s" for n, rate in transport.items()})
    show(f"{api} limit", {n: f"{limit:,.0f}/s" for n, limit in limits.items()})
    for name, options in SERVERS[api].items():
        with child_server(path, options) as server:
            ask = ask_of(api, server.rest if api == "REST" else server.grpc, costs)
            show(f"cloudserve, {api}{name}", scored({n: ask(n) for n in IN_FLIGHT}, limits))
    return limits


def ask_of(api: str, url: str, costs: Costs) -> Callable[[int], Figures]:
    """Return the function that loads a server of ours."""
    if api == "REST":
        return lambda n: ask_rest(f"{url}:predict", costs.rest[0], n)
    return lambda n: ask_grpc(urlsplit(url).netloc, costs.grpc[0], n)


def measure_peers(folder: Path, path: Path, costs: Costs, limits: Mapping[int, float]) -> None:
    """Print the figures of the peers that are installed."""
    for name, place, command, port in peers(folder, path):
        with running(command, port) as start:
            url = f"http://127.0.0.1:{port}{place}"
            figures = {n: ask_rest(url, costs.rest[0], n) for n in IN_FLIGHT}
        show(f"{name} (up in {start:.1f} s)", scored(figures, limits))


def measure_model(served: ServedModel, parts: list[str]) -> None:
    """Print a model's table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "m" / "1"
        served.build(path)
        costs = costs_of(path, served)
        sizes = f"{len(costs.rest[0]):,} bytes of JSON, {len(costs.grpc[0]):,} of protobuf"
        model = f"{costs.alone * 1e6:,.0f} us for a row, {costs.batched * 1e6:,.1f} us a row of 32"
        print(f"\n{served.title}: {sizes}; codec {costs.codec * 1e6:,.0f} us, model {model}")
        show("in flight", {n: n for n in IN_FLIGHT})
        limits: Mapping[int, float] = {}
        if "rest" in parts or "peers" in parts:
            limits = measure_api("REST", path, costs)
        if "peers" in parts:
            measure_peers(folder, path, costs, limits)
        if "grpc" in parts:
            measure_api("gRPC", path, costs)
        if "start" in parts:
            show_starts(path, costs.rest[0])


def main() -> None:
    """Measure the chosen models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["rest", "grpc", "start"])
    arguments = parser.parse_args()
    print(f"share of the limit = requests a second, p50/p99; {named()}", flush=True)
    for model in arguments.models:
        measure_model(MODELS[model], arguments.parts)


if __name__ == "__main__":
    main()
