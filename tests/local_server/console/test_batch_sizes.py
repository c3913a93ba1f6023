"""The batch that a request ran in, on the page: in its times, and in the recorded requests."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudserve.local_server.options.serve_options import serve_options

from cloudserve.golden.recording import Recording
from cloudserve.local.servers import ServeCommand
from tests.local_server.console.test_console_server import (
    NAME,
    TIMED,
    open_events,
    predict,
    read_parts,
)
from tests.local_server.monitoring.test_monitored_server import serving

PARAMETERS = """max_batch_size { value: 3 } batch_timeout_micros { value: 600000000 }
num_batch_threads { value: 1 }"""
"""A batch is full with three rows, and else waits for ten minutes."""


@pytest.fixture(scope="module")
def seen(shared_models, tmp_path_factory):
    """Give two requests of one batch, a third that fills one alone, and what was recorded."""
    folder = tmp_path_factory.mktemp("batches")
    (folder / "parameters").write_text(PARAMETERS)
    command = ServeCommand(
        batching_parameters=folder / "parameters", recording=Recording(folder / "golden.jsonl")
    )

    def work(server):
        connection, stream = open_events(server)
        rows = [[1.0], [2.0, 3.0]]
        with ThreadPoolExecutor() as clients:
            together = list(clients.map(lambda one: predict(server, one, TIMED), rows))
        alone = predict(server, [4.0, 5.0, 6.0], TIMED)
        requests = []
        while len(requests) < 3:
            requests = read_parts(stream, {"requests"})["requests"]
        connection.close()
        stream.close()
        return together, alone, [each["batch_rows"] for each in requests]

    return serving(serve_options(shared_models / NAME, command), work)


def test_requests_of_one_batch_say_its_rows_and_how_long_they_waited(seen):
    together, (status, header), _ = seen
    for code, times in together:
        assert (code, times.endswith(', batch;desc="3 rows"')) == (200, True)
        assert ", queue;dur=" in times
    waited = [float(times.partition("queue;dur=")[2].partition(",")[0]) for _, times in together]
    assert max(waited) > 0
    assert (status, "batch" in header) == (200, False)


def test_recorded_requests_have_the_rows_of_their_batch(seen):
    assert seen[2] == [0, 3, 3]
