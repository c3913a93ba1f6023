"""A server's models follow the folders that its configuration names."""

import asyncio
import logging
import shutil
import threading
from pathlib import Path

import pytest
from cloudserve.local_server.config import All, ModelConfig, ModelServerConfig, Specific
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


def test_an_emptied_base_path_unloads_and_one_that_was_deleted_does_not(base, m, tmp_path):
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


def test_attempts_that_fail_in_the_same_way_are_reported_once(base, m, caplog):
    async def main():
        server = Server(Retry(3, 60.0))
        base(1, broken=True)
        await server.serve(m())
        await server.core.close()

    run(main())
    assert caplog.messages == [
        "version 1 of model m did not load, 3 attempts are left: no model in 1",
        "version 1 of model m: no model in 1",
    ]


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


def test_a_version_that_waits_for_its_next_attempt_is_loaded_at_once_from_a_corrected_path(base, m):
    async def forever(seconds):
        waiting.set()
        await asyncio.Event().wait()

    async def main():
        server = Server(Retry(1, 60.0), pause=forever)
        base(1, "wrong", broken=True)
        base(1, "right")
        wrong, right = m("wrong").base_path, m("right").base_path
        server.core.apply(ModelServerConfig((ModelConfig("m", wrong),)))
        await server.core.poll()
        await waiting.wait()
        server.core.apply(ModelServerConfig((ModelConfig("m", right),)))
        await server.core.poll()
        await server.available("m", 1)
        assert server.load.attempts == ["1", "1"]
        await server.core.close()

    waiting = asyncio.Event()
    run(main())


# Versions that change while they are served.


def test_a_served_version_is_loaded_again_when_its_files_changed_and_stand_still(base, m):
    async def main():
        server = Server()
        path = base(1)
        await server.serve(m())
        (path / "assets").mkdir()
        (path / "assets/vocabulary").write_text("half of")
        await server.core.poll()
        (path / "assets/vocabulary").write_text("half of it, and the other half")
        await server.core.poll()
        assert server.load.attempts == ["1"]
        with server.manager.handle("m") as old:
            await server.poll_until(lambda: server.model() is not old.model)
            assert not old.model.is_closed
            assert server.now() == {1}
        await server.core.poll()
        await server.core.poll()
        await server.core.close()
        assert server.load.attempts == ["1", "1"]
        assert old.model.is_closed

    run(main())


def test_a_version_that_changed_while_it_was_loaded_is_loaded_again(base, m):
    async def main():
        server = Server()
        path = base(1)
        server.load.held["1"] = threading.Event()
        server.core.apply(ModelServerConfig((m(),)))
        await server.core.poll()
        await asyncio.to_thread(server.load.is_loading.wait, 20)
        (path / "vocabulary").touch()
        server.load.held.pop("1").set()
        await server.available("m", 1)
        await server.poll_until(lambda: len(server.load.loaded) == 2)
        await server.core.close()

    run(main())


def test_a_version_whose_path_changed_is_loaded_from_there_without_a_gap(base, m):
    async def main():
        server = Server()
        base(1, "one")
        base(1, "two")
        await server.serve(ModelConfig("m", m("one").base_path))
        with server.manager.handle("m") as old:
            server.core.apply(ModelServerConfig((ModelConfig("m", m("two").base_path),)))
            await server.poll_until(lambda: server.model() is not old.model)
            assert server.now() == {1}
        assert server.load.paths[-1] == Path(m("two").base_path, "1")
        await server.core.close()
        assert old.model.is_closed

    run(main())


def test_a_version_that_changed_to_what_does_not_load_is_served_as_it_was(base, m, caplog):
    async def main():
        server = Server()
        path = base(1)
        await server.serve(m())
        server.load.broken.add("1")
        (path / "vocabulary").touch()
        await server.poll_until(lambda: len(server.load.attempts) == 2)
        for _ in range(3):
            await server.core.poll()
        assert server.now() == {1}
        await server.core.close()
        assert server.load.attempts == ["1", "1"]

    run(main())
    (line,) = [line for line in caplog.messages if "changed" in line]
    assert line == (
        "the files of version 1 of model m changed and cannot be loaded, it is served as it was: "
        "no model in 1"
    )


def test_a_version_that_is_being_deleted_is_served_until_its_folder_is_gone(base, m):
    async def main():
        server = Server()
        base(1)
        path = base(2)
        await server.serve(m())
        (path / "saved_model.pb").unlink()
        for _ in range(3):
            await server.core.poll()
        assert server.now() == {2}
        path.rmdir()
        await server.core.poll()
        await server.available("m", 1)
        assert server.load.attempts == ["2", "1"]
        await server.core.close()

    run(main())


def test_a_version_that_goes_away_while_it_is_loaded_again_is_unloaded(base, m):
    async def main():
        server = Server()
        path = base(1)
        base(2)
        await server.serve(m(policy=Specific(frozenset({1}))))
        with server.manager.handle("m", 1) as old:
            pass
        server.load.held["1"] = threading.Event()
        (path / "vocabulary").touch()
        await server.core.poll()
        await server.core.poll()
        await asyncio.to_thread(server.load.is_loading.wait, 20)
        server.core.apply(ModelServerConfig((m(policy=Specific(frozenset({2}))),)))
        await server.core.poll()
        await server.available("m", 2)
        server.load.held.pop("1").set()
        await server.core.close()
        assert old.model.is_closed
        assert all(model.is_closed for model in server.load.loaded)
        assert len(server.load.loaded) == 3

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
