"""The model server's start and stop: what it finds, what it says, what it leaves behind."""

import asyncio
import json
import shutil
import socket
import urllib.request

import pytest
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.server import ModelServer, find_models
from cloudserve.local_server.status import Code

from cloudserve.errors import ModelError, UserError


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
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{model}", timeout=10) as answer:
        listed = json.load(answer)["model_version_status"]
    return [(version["version"], version["state"]) for version in listed]


# Where models are.


def test_a_saved_model_directory_is_a_model_of_its_name(tmp_path):
    saved_model(tmp_path / "m")
    assert find_models(tmp_path / "m") == {"m": tmp_path / "m"}
    assert find_models(tmp_path / "m", "other") == {"other": tmp_path / "m"}


def test_a_version_directory_is_a_model_named_by_the_folder_above(tmp_path):
    saved_model(tmp_path / "m" / "00000123")
    assert find_models(tmp_path / "m" / "00000123") == {"m": tmp_path / "m" / "00000123"}


def test_a_base_path_is_a_model_of_its_name(tmp_path):
    saved_model(tmp_path / "m" / "1")
    assert find_models(tmp_path / "m") == {"m": tmp_path / "m"}


def test_a_folder_of_both_is_many_models_and_other_entries_are_passed_over(tmp_path):
    saved_model(tmp_path / "b" / "1")
    saved_model(tmp_path / "a")
    (tmp_path / "data").mkdir()
    (tmp_path / "LICENSE").touch()
    assert find_models(tmp_path) == {"a": tmp_path / "a", "b": tmp_path / "b"}


def test_a_name_is_for_one_model(tmp_path):
    saved_model(tmp_path / "a")
    assert find_models(tmp_path, "other") == {"other": tmp_path / "a"}
    saved_model(tmp_path / "b")
    with pytest.raises(UserError, match=r"one name is given and .* holds 2 models"):
        find_models(tmp_path, "other")


def test_a_place_without_models_says_what_is_there(tmp_path):
    with pytest.raises(ModelError, match="neither a SavedModel nor NUMBER/ directories"):
        find_models(tmp_path)
    with pytest.raises(ModelError, match="there is no such directory"):
        find_models(tmp_path / "nowhere")


# Start and stop.


def test_the_highest_version_of_each_model_is_served_until_the_stop(tmp_path):
    for version in ("a/1", "a/10", "a/9", "b"):
        saved_model(tmp_path / version)

    async def main():
        server = ModelServer(tmp_path, load=Model)
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
        server = ModelServer(tmp_path, load=Model)
        await server.start()
        assert server.models == ("good",)
        assert await asyncio.to_thread(versions, server.port, "bad") == [("1", "END")]
        await server.stop()

    asyncio.run(main())
    assert caplog.messages == ["model bad is not served: it is broken"]


def test_a_server_without_one_good_model_does_not_start(tmp_path):
    saved_model(tmp_path / "bad" / "1", broken=True)
    with pytest.raises(ModelError, match="it is broken"):
        asyncio.run(ModelServer(tmp_path, load=Model).start())


def test_a_port_in_use_is_told_and_leaves_no_model_open(tmp_path):
    saved_model(tmp_path / "m")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = ModelServer(tmp_path, port=taken.getsockname()[1], load=Model)
        with pytest.raises(UserError):
            asyncio.run(server.start())
    assert server.models == ()


def test_a_real_model_is_served_with_nothing_else_around_it(tmp_path, shared_models):
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", tmp_path / "half")

    async def main():
        server = ModelServer(tmp_path / "half", name="m")
        await server.start()
        request = urllib.request.Request(
            f"{server.address}/v1/models/m:predict", b'{"instances": [1, 2, 5]}'
        )
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=10)
        with answer:
            assert json.load(answer) == {"predictions": [2.5, 3.0, 4.5]}
        await server.stop()

    asyncio.run(main())
