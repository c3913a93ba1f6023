"""The start and stop of the model server: models, messages, and released resources."""

import asyncio
import json
import shutil
import socket
import urllib.request
from dataclasses import replace

import pytest
from cloudserve.local_server.monitoring.monitoring_config import DEFAULT_PATH
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.options.server_options import BatchingOptions
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.status import Code

from cloudserve.errors import ModelError, UserError
from cloudserve.local.servers import ServeCommand


class Model:
    """A model of no signatures, which counts how many of its kind are open."""

    open = 0

    def __init__(self, path):
        if (path / "broken").exists():
            raise LoadError(Code.INTERNAL, "it is broken")
        self.signatures = self.all_signatures = {}
        Model.open += 1

    def run(self, signature, inputs):
        raise NotImplementedError

    def close(self):
        Model.open -= 1


@pytest.fixture(autouse=True)
def no_model_stays_open():
    yield
    assert Model.open == 0


def saved_model(path, *, broken=False):
    path.mkdir(parents=True)
    (path / "saved_model.pb").touch()
    if broken:
        (path / "broken").touch()


def versions(port, model):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{model}", timeout=60) as answer:
        listed = json.load(answer)["model_version_status"]
    return [(version["version"], version["state"]) for version in listed]


# Start and stop.


def test_the_highest_version_of_each_model_is_served_until_the_stop(tmp_path):
    for version in ("a/1", "a/10", "a/9", "b"):
        saved_model(tmp_path / version)

    async def main():
        server = ModelServer(serve_options(tmp_path, ServeCommand()), Model)
        await server.start()
        assert server.models == ("a", "b")
        assert server.address == f"http://127.0.0.1:{server.port}"
        assert await asyncio.to_thread(versions, server.port, "a") == [("10", "AVAILABLE")]
        assert await asyncio.to_thread(versions, server.port, "b") == [("1", "AVAILABLE")]
        await server.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)

    asyncio.run(main())


def test_a_broken_model_leaves_the_others_served(tmp_path, caplog):
    saved_model(tmp_path / "bad" / "1", broken=True)
    saved_model(tmp_path / "good" / "1")

    async def main():
        server = ModelServer(serve_options(tmp_path, ServeCommand()), Model)
        await server.start()
        assert server.models == ("good",)
        assert await asyncio.to_thread(versions, server.port, "bad") == [("1", "END")]
        await server.stop()

    asyncio.run(main())
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["version 1 of model bad: it is broken"]


def test_a_server_without_one_good_model_does_not_start(tmp_path):
    saved_model(tmp_path / "bad" / "1", broken=True)
    with pytest.raises(ModelError, match="it is broken"):
        asyncio.run(ModelServer(serve_options(tmp_path, ServeCommand()), Model).start())


@pytest.mark.parametrize("face", ["port", "grpc_port"])
def test_a_port_in_use_is_reported_before_a_model_is_loaded(tmp_path, face):
    saved_model(tmp_path / "m")
    loads = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ServeCommand(**{face: port})
        server = ModelServer(serve_options(tmp_path, command), loads.append)
        with pytest.raises(UserError, match=str(port)):
            asyncio.run(server.start())
    assert loads == []


def test_a_port_taken_during_the_load_is_reported_and_leaves_no_model_open(tmp_path):
    saved_model(tmp_path / "m")
    with socket.socket() as holder:
        # Others may bind this port until it listens.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]

        def load(path):
            holder.listen()
            return Model(path)

        server = ModelServer(serve_options(tmp_path, ServeCommand(port=port)), load)
        with pytest.raises(UserError, match=f"port {port} on 127.0.0.1 is in use"):
            asyncio.run(server.start())
    assert server.models == ()


def test_a_real_model_is_served_with_nothing_else_around_it(tmp_path, shared_models):
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", tmp_path / "half")

    async def main():
        server = ModelServer(serve_options(tmp_path / "half", ServeCommand(name="m")))
        await server.start()
        request = urllib.request.Request(
            f"{server.address}/v1/models/m:predict", b'{"instances": [1, 2, 5]}'
        )
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=60)
        with answer:
            assert json.load(answer) == {"predictions": [2.5, 3.0, 4.5]}
        await server.stop()

    asyncio.run(main())


def test_a_stop_runs_at_once_what_waits_in_a_batch_for_an_hour(tmp_path, shared_models):
    file = tmp_path / "batching"
    file.write_text("batch_timeout_micros { value: 3600000000 }")
    models = shared_models / "tfs_half_plus_two_cpu"
    options = replace(serve_options(models, ServeCommand(name="m")), batching=BatchingOptions(file))

    def ask(server, path, body=None):
        request = urllib.request.Request(f"{server.address}{path}", body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    async def main():
        server = ModelServer(options)
        await server.start()
        body = b'{"instances": [1, 2, 5]}'
        asking = asyncio.create_task(asyncio.to_thread(ask, server, "/v1/models/m:predict", body))
        waiting = b'cloudserve_batch_queue_depth{model_name="m",version="123"} 1'
        while waiting not in await asyncio.to_thread(ask, server, DEFAULT_PATH):
            assert not asking.done()
        await server.stop()
        return json.loads(await asking)

    assert asyncio.run(main()) == {"predictions": [2.5, 3.0, 4.5]}
