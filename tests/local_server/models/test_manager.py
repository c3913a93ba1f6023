"""The life cycle of versions: states, handles, and unloads that wait for requests."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.models import Manager, State, Version, VersionState
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.errors import ConflictError, ModelError

PATH = Path("model")


class Model:
    """A model that knows whether it was closed under a call."""

    def __init__(self, path):
        self.path = path
        self.signatures = self.all_signatures = {}
        self._gone = threading.Event()

    def run(self, signature, inputs):
        assert not self.closed
        return {}

    def close(self):
        assert not self.closed
        self._gone.set()

    @property
    def closed(self):
        return self._gone.is_set()

    def wait_closed(self):
        assert self._gone.wait(60)


def refusal(manager, *which, **more):
    with pytest.raises(StatusError) as caught, manager.handle(*which, **more):
        pass
    return caught.value.code, caught.value.message


def loaded(*versions, load=Model):
    manager = Manager(load)
    for version in versions:
        asyncio.run(manager.load("m", version, PATH))
    return manager


def test_every_version_is_reported_with_the_requests_that_hold_it():
    manager = loaded(1, 2)
    asyncio.run(manager.unload("m", 1))
    with manager.handle("m") as servable, manager.handle("m"):
        assert manager.versions() == (
            Version("m", VersionState(1, State.END), None, 0, PATH),
            Version("m", VersionState(2, State.AVAILABLE), servable.model, 2, PATH),
        )
    assert all(version.load_seconds >= 0 for version in manager.versions())


def test_a_loaded_version_is_available_and_handed_out():
    manager = loaded(1)
    assert manager.states("m") == (VersionState(1, State.AVAILABLE),)
    with manager.handle("m", 1) as servable:
        assert (servable.name, servable.version, servable.model.path) == ("m", 1, PATH)


def test_the_highest_available_version_is_the_latest():
    manager = loaded(9, 10, 2)
    with manager.handle("m") as servable:
        assert servable.version == 10
    asyncio.run(manager.unload("m", 10))
    with manager.handle("m") as servable:
        assert servable.version == 9


def test_unknown_models_versions_and_labels_have_tensorflow_servings_texts():
    manager = loaded(1)
    assert refusal(manager, "n") == (Code.NOT_FOUND, "Servable not found for request: Latest(n)")
    assert refusal(manager, "m", 9) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(m, 9)",
    )
    assert refusal(manager, "m", label="stable") == (
        Code.INVALID_ARGUMENT,
        "Unrecognized servable version label: stable",
    )


def test_names_are_free_strings():
    name = "projects/p/models/m/versions/v1"
    manager = Manager(Model)
    asyncio.run(manager.load(name, 1, PATH))
    assert manager.available() == (name,)
    with manager.handle(name) as servable:
        assert servable.name == name


def test_versions_are_listed_in_descending_order_and_stay_listed_when_they_end():
    manager = loaded(1, 3, 2)
    asyncio.run(manager.unload("m", 3))
    assert [(s.version, s.state) for s in manager.states("m")] == [
        (3, State.END),
        (2, State.AVAILABLE),
        (1, State.AVAILABLE),
    ]
    assert manager.states("other") == ()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoadError(Code.NOT_FOUND, "no weights"), Code.NOT_FOUND),
        (ModelError("no weights"), Code.UNKNOWN),
        (RuntimeError("no weights"), Code.UNKNOWN),
    ],
)
def test_a_load_that_fails_ends_with_the_reason_and_may_be_tried_again(error, code):
    outcomes = iter([error, None])

    def load(path):
        failure = next(outcomes)
        if failure:
            raise failure
        return Model(path)

    manager = Manager(load)
    with pytest.raises(type(error), match="no weights"):
        asyncio.run(manager.load("m", 1, PATH))
    assert manager.states("m") == (VersionState(1, State.END, code, "no weights"),)
    assert refusal(manager, "m")[0] is Code.NOT_FOUND
    asyncio.run(manager.load("m", 1, PATH))
    assert manager.states("m") == (VersionState(1, State.AVAILABLE),)


def test_a_version_that_exists_is_not_loaded_again():
    manager = loaded(1)
    with pytest.raises(ConflictError, match="version 1 of model m is AVAILABLE already"):
        asyncio.run(manager.load("m", 1, PATH))


def test_a_version_is_loading_while_it_loads_and_not_handed_out():
    begun, go_on = threading.Event(), threading.Event()

    def load(path):
        begun.set()
        assert go_on.wait(60)
        return Model(path)

    async def main():
        manager = Manager(load)
        task = asyncio.create_task(manager.load("m", 1, PATH))
        await asyncio.to_thread(begun.wait, 60)
        assert manager.states("m") == (VersionState(1, State.LOADING),)
        assert refusal(manager, "m")[0] is Code.NOT_FOUND
        with pytest.raises(ConflictError):
            await manager.load("m", 1, PATH)
        go_on.set()
        await task
        assert manager.available() == ("m",)

    asyncio.run(main())


def test_an_unload_hands_out_no_more_and_waits_for_the_last_handle():
    async def main():
        manager = Manager(Model)
        await manager.load("m", 1, PATH)
        with manager.handle("m") as first:
            with manager.handle("m") as second:
                assert second is first
                task = asyncio.create_task(manager.unload("m", 1))
                await asyncio.sleep(0)  # lets the task take its first step
                assert manager.states("m") == (VersionState(1, State.UNLOADING),)
                assert refusal(manager, "m", 1)[0] is Code.NOT_FOUND
            assert not task.done()
            assert not first.model.closed
        await task
        assert first.model.closed
        assert manager.states("m") == (VersionState(1, State.END),)

    asyncio.run(main())


def test_an_unload_continues_when_its_waiter_is_cancelled():
    async def main():
        manager = Manager(Model)
        await manager.load("m", 1, PATH)
        with manager.handle("m") as servable:
            task = asyncio.create_task(manager.unload("m", 1))
            await asyncio.sleep(0)  # lets the task take its first step
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.to_thread(servable.model.wait_closed)

    asyncio.run(main())


def test_a_version_is_unloaded_only_once():
    manager = loaded(1)
    asyncio.run(manager.unload("m", 1))
    with pytest.raises(StatusError, match=r"Specific\(m, 1\)"):
        asyncio.run(manager.unload("m", 1))


def test_all_are_unloaded_at_once():
    manager = loaded(1, 2)
    asyncio.run(manager.unload_all())
    assert {state.state for state in manager.states("m")} == {State.END}
    assert manager.available() == ()


def test_no_request_fails_or_sees_a_closed_model_while_versions_come_and_go():
    manager = loaded(1)
    done = threading.Event()

    def requests():
        served = 0
        while not done.is_set() or not served:
            with manager.handle("m") as servable:
                servable.model.run("s", {})
                served += 1
        return served

    async def swaps():
        for version in range(2, 60):
            await manager.load("m", version, PATH)
            await manager.unload("m", version - 1)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(requests) for _ in range(4)]
        try:
            asyncio.run(swaps())
        finally:
            done.set()
        assert all(client.result() > 0 for client in clients)
    assert [s.state for s in manager.states("m")] == [State.AVAILABLE] + [State.END] * 58


def test_a_request_may_end_after_the_loop_that_waited_for_it_to_unload():
    manager = loaded(1)

    async def unload():
        asyncio.ensure_future(manager.unload("m", 1))  # noqa: RUF006  it ends with the loop
        await asyncio.sleep(0)

    with manager.handle("m"):
        asyncio.run(unload())
        assert manager.states("m")[0].state is State.UNLOADING
