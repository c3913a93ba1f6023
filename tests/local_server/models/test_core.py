"""A server's models follow its configuration and the folders it names."""

import asyncio
import logging
import shutil
import threading

import pytest
from cloudserve.local_server.config import All, ModelConfig, ModelServerConfig, Specific
from cloudserve.local_server.models import (
    FileSystemSource,
    Lifecycle,
    Manager,
    Retry,
    ServerCore,
)
from cloudserve.local_server.models.discovery import find_versions
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError


class Model:
    """A model of no signatures."""

    def __init__(self):
        self.signatures = self.all_signatures = {}

    def run(self, signature, inputs):
        raise NotImplementedError

    def close(self):
        pass


class Loader:
    """Loads what is not broken, and remembers its attempts; `held` versions wait in the thread."""

    def __init__(self):
        self.attempts = []
        self.held = {}
        self.is_loading = threading.Event()

    def __call__(self, path):
        self.attempts.append(path.name)
        if path.name in self.held:
            self.is_loading.set()
            assert self.held[path.name].wait(20)
        if not (path / "saved_model.pb").exists():
            raise LoadError(Code.NOT_FOUND, f"no model in {path.name}")
        return Model()


class Pause:
    """Stands for `asyncio.sleep`: notes the seconds and returns at once."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


class Server:
    """A core with what it is made of."""

    def __init__(self, retry=None, *, pause=None, independent=False, labels_may_wait=False):
        self.load = Loader()
        self.pause = pause or Pause()
        self.manager = Manager(self.load)
        self.lifecycle = Lifecycle(self.manager, retry, self.pause)
        self.source = FileSystemSource(
            self.lifecycle.aspire, find_versions, independent=independent
        )
        self.core = ServerCore(
            self.manager, self.lifecycle, self.source, labels_may_wait=labels_may_wait
        )

    async def serve(self, *models):
        self.core.apply(ModelServerConfig(models))
        await self.core.poll()
        await self.core.attempted()

    async def available(self, name="m", *versions):
        """Wait until these are a model's available versions, and no other."""
        await self.lifecycle.changed.until(lambda: self.now(name) == set(versions))

    def now(self, name="m"):
        states = self.manager.states(name)
        return {state.version for state in states if state.state.name == "AVAILABLE"}


@pytest.fixture
def base(tmp_path):
    """Return a function that makes a version below a model's base path."""

    def make(version, name="m", *, broken=False):
        path = tmp_path / name / str(version)
        path.mkdir(parents=True, exist_ok=True)
        if not broken:
            (path / "saved_model.pb").touch()
        return path

    return make


@pytest.fixture
def m(tmp_path):
    """Return a configuration of the model m."""

    def make(name="m", **more):
        return ModelConfig(name, str(tmp_path / name), **more)

    return make


def run(work):
    asyncio.run(asyncio.wait_for(work, 30))


# Following the folders.


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


# New configurations.


def test_a_reload_waits_for_new_models_and_unloads_those_left_out(base, m):
    async def main():
        server = Server()
        base(1)
        base(1, "other")
        await server.serve(m())
        await server.core.reload(ModelServerConfig((m("other"),)), 20)
        assert server.now("other") == {1}
        await server.available("m")
        await server.core.close()

    run(main())


def test_a_reload_whose_new_model_fails_says_so(base, m):
    async def main():
        server = Server()
        base(1)
        base(1, "bad", broken=True)
        await server.serve(m())
        with pytest.raises(StatusError) as caught:
            await server.core.reload(ModelServerConfig((m(), m("bad"))), 20)
        assert caught.value.code is Code.UNKNOWN
        assert caught.value.message == (
            "1 model(s) did not become available: "
            "{{{name: bad version: 1} due to error: NOT_FOUND: no model in 1}, }"
        )
        assert server.now() == {1}
        await server.core.close()

    run(main())


def test_a_reload_does_not_wait_for_ever(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        with pytest.raises(StatusError) as caught:
            await server.core.reload(ModelServerConfig((m(), m("missing"))), 0.01)
        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert "Could not find base path" in caught.value.message
        await server.core.close()

    run(main())


def test_a_refused_configuration_changes_nothing(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        before = server.core.config
        for wrong in (
            ModelServerConfig((m("other"), m("other"))),
            ModelServerConfig((m("other"), m(labels={"stable": 9}))),
        ):
            with pytest.raises(StatusError):
                await server.core.reload(wrong, 20)
            assert server.core.config is before
        assert server.now() == {1}
        await server.core.close()

    run(main())


# Labels.


def test_a_label_names_an_available_version_only(base, m):
    async def main():
        server = Server()
        base(1)
        with pytest.raises(StatusError) as caught:
            server.core.apply(ModelServerConfig((m(labels={"stable": 1}),)))
        assert caught.value.code is Code.FAILED_PRECONDITION
        assert caught.value.message == (
            "Request to assign label to version 1 of model m, which is not currently available "
            "for inference"
        )
        await server.serve(m())
        server.core.apply(ModelServerConfig((m(labels={"stable": 1, "canary": 1}),)))
        with server.manager.handle("m", label="stable") as servable:
            assert servable.version == 1
        server.core.apply(ModelServerConfig((m(labels={"canary": 1}),)))
        assert server.core.labels("m") == {"canary": 1}
        await server.core.close()

    run(main())


def test_a_new_label_may_wait_where_that_is_allowed_a_moved_one_may_not(base, m):
    async def main():
        server = Server(labels_may_wait=True)
        base(1)
        await server.serve(m(labels={"stable": 1}))
        with pytest.raises(StatusError):
            server.core.apply(ModelServerConfig((m(labels={"stable": 2}),)))
        assert server.core.labels("m") == {"stable": 1}
        await server.core.close()

    run(main())


# Following a file.


def test_a_configuration_that_cannot_be_read_is_logged_and_the_last_one_holds(base, m, caplog):
    async def main():
        server = Server()
        base(1)
        base(1, "other")
        await server.serve(m())
        answers = [
            StatusError(Code.INVALID_ARGUMENT, "Invalid protobuf file: 'x'"),
            ModelServerConfig((m(), m("other"))),
        ]
        seen = asyncio.Event()

        def read():
            answer = answers.pop(0)
            if isinstance(answer, StatusError):
                raise answer
            return answer

        async def pause(seconds):
            assert seconds == 5
            if not answers:
                seen.set()
                await asyncio.Event().wait()

        following = asyncio.ensure_future(server.core.follow(read, 5, pause))
        await seen.wait()
        await server.available("other", 1)
        following.cancel()
        await server.core.close()

    run(main())
    assert "the configuration is not taken: Invalid protobuf file: 'x'" in caplog.messages
