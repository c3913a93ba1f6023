"""`cloudserve serve` batches by itself: requests of one turn run together, each gets its answer."""

import asyncio
import http.client
import json
import shutil
import urllib.request

import pytest
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.server import ModelServer

from cloudserve.local.servers import ServeCommand

CLIENTS, ROUNDS = 8, 12
RUNS = b":tensorflow:serving:batching_session:wrapped_run_count{} "


@pytest.fixture
def half(shared_models, tmp_path):
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", tmp_path / "half")
    return tmp_path / "half"


def send(connection, values):
    connection.request("POST", "/v1/models/half:predict", json.dumps({"instances": values}))


def receive(connection):
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def runs(server):
    with urllib.request.urlopen(f"{server.address}/monitoring/prometheus/metrics") as page:
        (line,) = (line for line in page if line.startswith(RUNS))
    return int(line.removeprefix(RUNS))


async def rounds(server):
    """Send requests of all clients before the loop reads one, again and again; give the answers."""
    clients = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(CLIENTS)]
    answers = []
    for number in range(ROUNDS):
        for index, client in enumerate(clients):
            send(client, [number, index])
        answers.append([await asyncio.to_thread(receive, client) for client in clients])
    for client in clients:
        client.close()
    return answers


def serve(options):
    """Return the answers of all rounds, and the number of batches, None without batching."""

    async def main():
        server = ModelServer(options)
        await server.start()
        try:
            answers = await rounds(server)
            return answers, await asyncio.to_thread(runs, server)
        finally:
            await server.stop()

    return asyncio.run(main())


@pytest.mark.parametrize("batching", [True, False])
def test_each_client_gets_its_own_answer_whether_or_not_requests_run_together(half, batching):
    answers, batches = serve(serve_options(half, ServeCommand(batching=batching)))
    assert answers == [
        [(200, {"predictions": [number / 2 + 2, index / 2 + 2]}) for index in range(CLIENTS)]
        for number in range(ROUNDS)
    ]
    if batching:
        # How many run together depends on measured costs: batching/test_self_batching.py.
        assert 0 < batches <= CLIENTS * ROUNDS
    else:
        assert batches == 0


def test_a_server_reports_at_its_start_that_it_batches(half, caplog):
    caplog.set_level("INFO")

    async def start(**options):
        caplog.clear()
        server = ModelServer(serve_options(half, ServeCommand(**options)))
        await server.start()
        await server.stop()
        return "concurrent requests run in batches if that is faster" in caplog.messages

    assert asyncio.run(start())
    assert not asyncio.run(start(batching=False))
