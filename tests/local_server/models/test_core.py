"""A server's models follow the folders that its configuration names."""

import asyncio
import logging
import shutil
import threading

import pytest
from cloudserve.local_server.config import All, ModelServerConfig, Specific
from cloudserve.local_server.models import Retry
from cloudserve.local_server.status import Code, StatusError

from .conftest import Server, run


def test_a_higher_version_takes_the_place_of_the_one_served(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        base(2)
        await server.core.poll()
        await server.available("m", 2)
        assert server.load.attempts == ["1", "2"]
        await server.core.close()
        assert server.now() == set()

    run(main())


def test_while_the_new_version_loads_the_old_one_is_served(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        server.load.held["2"] = threading.Event()
        base(2)
        await server.core.poll()
        assert await asyncio.to_thread(server.load.is_loading.wait, 20)
        assert server.now() == {1}
        server.load.held["2"].set()
        await server.available("m", 2)
        await server.core.close()

    run(main())


def test_a_broken_new_version_leaves_the_old_one_served(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        base(2, broken=True)
        await server.core.poll()
        await server.lifecycle.changed.until(lambda: bool(server.lifecycle.failures("m")))
        assert server.now() == {1}
        state = server.manager.states("m")[0]
        assert (state.version, state.state.name) == (2, "END")
        assert (state.code, state.message) == (Code.NOT_FOUND, "no model in 2")
        await server.core.close()

    run(main())


def test_deleting_the_served_version_rolls_back_to_the_one_below(base, m):
    async def main():
        server = Server()
        base(1)
        two = base(2)
        await server.serve(m())
        assert server.now() == {2}
        shutil.rmtree(two)
        await server.core.poll()
        await server.available("m", 1)
        await server.core.close()

    run(main())


def test_an_emptied_base_path_unloads_and_one_that_is_gone_does_not(base, m, tmp_path):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        (tmp_path / "m").rename(tmp_path / "away")
        await server.core.poll()
        assert server.now() == {1}
        (tmp_path / "m").mkdir()
        await server.core.poll()
        await server.available("m")
        await server.core.close()

    run(main())


@pytest.mark.parametrize(("independent", "served"), [(True, {1}), (False, set())])
def test_a_missing_base_path_holds_up_the_others_only_where_upstream_does(
    base, m, independent, served
):
    async def main():
        server = Server(independent=independent)
        base(1)
        await server.serve(m(), m("missing"))
        assert server.now() == served
        assert server.core.unavailable() == (("missing",) if independent else ("m", "missing"))
        assert "No such file or directory" in server.core.unsettled()["missing"]
        await server.core.close()

    run(main())


def test_policies_choose_what_is_loaded(base, m):
    async def main():
        server = Server()
        for version in (1, 2, 3):
            base(version)
        await server.serve(m(policy=All()))
        await server.available("m", 1, 2, 3)
        server.core.apply(ModelServerConfig((m(policy=Specific(frozenset({2, 9}))),)))
        await server.core.poll()
        await server.available("m", 2)
        await server.core.close()

    run(main())


# Loads that fail.


def test_a_load_is_tried_again_as_often_as_is_said(base, m):
    async def main():
        server = Server(Retry(2, 60.0))
        base(1, broken=True)
        await server.serve(m())
        assert server.load.attempts == ["1", "1", "1"]
        assert server.pause.seconds == [60.0, 60.0]
        with pytest.raises(StatusError) as caught:
            server.core.check_available(["m"])
        assert caught.value.code is Code.UNKNOWN
        assert caught.value.message == (
            "1 servable(s) did not become available: "
            "{{{name: m version: 1} due to error: NOT_FOUND: no model in 1}, }"
        )

    run(main())


def test_a_failed_version_is_tried_again_when_its_files_change_and_not_before(base, m):
    async def main():
        server = Server()
        base(1, broken=True)
        await server.serve(m())
        await server.core.poll()
        await server.core.attempted()
        assert server.load.attempts == ["1"]
        base(1)
        await server.core.poll()
        await server.available("m", 1)
        await server.core.close()

    run(main())


def test_a_version_that_is_still_copied_is_tried_again_once_its_files_change(base, m):
    """Attempts that a change brings on do not count: the next one may find the copy whole."""
    pauses = asyncio.Semaphore(0)

    async def forever(seconds):
        pauses.release()
        await asyncio.Event().wait()

    async def main():
        server = Server(Retry(1, 60.0), pause=forever)
        path = base(1, broken=True)
        server.core.apply(ModelServerConfig((m(),)))
        for number in range(3):
            await server.core.poll()
            await pauses.acquire()
            await server.core.poll()
            (path / f"part{number}").touch()
        assert server.load.attempts == ["1"] * 3
        base(1)
        await server.core.poll()
        await server.available("m", 1)
        await server.core.close()

    run(main())


def test_the_retries_of_a_version_that_goes_away_stop(base, m, caplog):
    caplog.set_level(logging.INFO)
    waiting = asyncio.Event()

    async def forever(seconds):
        waiting.set()
        await asyncio.Event().wait()

    async def main():
        server = Server(Retry(5, 60.0), pause=forever)
        path = base(1, broken=True)
        server.core.apply(ModelServerConfig((m(),)))
        await server.core.poll()
        await waiting.wait()
        shutil.rmtree(path)
        await server.core.poll()
        await server.core.close()
        assert server.load.attempts == ["1"]

    run(main())
    assert "loading version 1 of model m was cancelled" in caplog.messages
