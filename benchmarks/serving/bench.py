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
from plot import Bar, Group, draw
from served_models import MODELS, ServedModel
from starts import show_starts

from cloudserve.bench.child import child_server

PARTS = ("rest", "grpc", "start", "peers")
MOST = max(IN_FLIGHT)
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


def measure_api(api: str, path: Path, costs: Costs, bars: list[Bar]) -> dict[int, float]:
    """Print the limits and the server's figures, and add their bars; return the limits."""
    transport = transport_rates(api, costs)
    limits = {n: costs.limit(rate, n, api) for n, rate in transport.items()}
    show(f"{api} transport", {n: f"{rate:,.0f}/s" for n, rate in transport.items()})
    show(f"{api} limit", {n: f"{limit:,.0f}/s" for n, limit in limits.items()})
    bars.append(Bar("limit", limits[MOST], "limit"))
    for name, options in SERVERS[api].items():
        with child_server(path, options) as server:
            ask = ask_of(api, server.rest if api == "REST" else server.grpc, costs)
            figures = {n: ask(n) for n in IN_FLIGHT}
        show(f"cloudserve, {api}{name}", scored(figures, limits))
        bars.append(Bar(f"cloudserve{name}", figures[MOST].rate, "own"))
    return limits


def ask_of(api: str, url: str, costs: Costs) -> Callable[[int], Figures]:
    """Return the function that loads a server of ours."""
    if api == "REST":
        return lambda n: ask_rest(f"{url}:predict", costs.rest[0], n)
    return lambda n: ask_grpc(urlsplit(url).netloc, costs.grpc[0], n)


def measure_peers(
    folder: Path, path: Path, costs: Costs, limits: Mapping[int, float], bars: list[Bar]
) -> None:
    """Print the figures of the peers that are installed, and add their bars."""
    for name, place, command, port in peers(folder, path):
        with running(command, port) as start:
            url = f"http://127.0.0.1:{port}{place}"
            figures = {n: ask_rest(url, costs.rest[0], n) for n in IN_FLIGHT}
        show(f"{name} (up in {start:.1f} s)", scored(figures, limits))
        bars.append(Bar(name, figures[MOST].rate, "peer"))


def measure_model(served: ServedModel, parts: list[str]) -> list[Group]:
    """Print a model's table, and return its bars."""
    rest: list[Bar] = []
    grpc: list[Bar] = []
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
            limits = measure_api("REST", path, costs, rest)
        if "peers" in parts:
            measure_peers(folder, path, costs, limits, rest)
        if "grpc" in parts:
            measure_api("gRPC", path, costs, grpc)
        if "start" in parts:
            show_starts(path, costs.rest[0])
    groups = (Group(f"{served.title}, REST", rest), Group(f"{served.title}, gRPC", grpc))
    return [group for group in groups if group.bars]


def main() -> None:
    """Measure the chosen models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["rest", "grpc", "start"])
    parser.add_argument("--plot", type=Path, help="An SVG file to write.")
    arguments = parser.parse_args()
    print(f"share of the limit = requests a second, p50/p99; {named()}", flush=True)
    groups: list[Group] = []
    for model in arguments.models:
        groups += measure_model(MODELS[model], arguments.parts)
    if arguments.plot and groups:
        arguments.plot.write_text(draw(groups), "utf-8")


if __name__ == "__main__":
    main()
