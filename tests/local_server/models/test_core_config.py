"""Reloaded configurations and labels are applied atomically."""

import asyncio

import pytest
from cloudserve.local_server.config import ModelServerConfig
from cloudserve.local_server.config.model_config import ConfigFile
from cloudserve.local_server.status import Code, StatusError

from .conftest import Server, run


def test_a_reload_waits_for_new_models_and_unloads_those_omitted(base, m):
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
        refusal = StatusError(Code.INVALID_ARGUMENT, "Invalid protobuf file: 'x'")
        good = ModelServerConfig((m(), m("other")))
        answers = [refusal, refusal, refusal, good, refusal, refusal, good]
        observed = asyncio.Event()

        def read():
            answer = answers.pop(0)
            if isinstance(answer, StatusError):
                raise answer
            return answer

        async def pause(seconds):
            assert seconds == 5
            if not answers:
                observed.set()
                await asyncio.Event().wait()

        following = asyncio.ensure_future(server.core.follow(read, 5, pause))
        await observed.wait()
        await server.available("other", 1)
        following.cancel()
        await server.core.close()

    run(main())
    # Once for each time that it became wrong, not at every look.
    problem = "the configuration is not taken: Invalid protobuf file: 'x'"
    assert caplog.messages.count(problem) == 2


def test_a_file_that_cannot_be_parsed_is_reported_once_for_each_state_of_it(tmp_path, caplog):
    path = tmp_path / "models.config"
    file = ConfigFile(path)
    for text in ("nonsense", "more nonsense"):
        path.write_text(text)
        for _ in range(3):
            with pytest.raises(StatusError, match="Invalid protobuf file"):
                file.read()
    assert len([line for line in caplog.messages if "Error parsing text-format" in line]) == 2
    path.write_text("model_config_list {}")
    assert file.read() == file.read() == ModelServerConfig()
    path.unlink()
    with pytest.raises(StatusError) as caught:
        file.read()
    assert caught.value.code is Code.NOT_FOUND


def test_a_reload_does_not_wait_for_what_a_later_configuration_leaves_out(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        waiting = asyncio.ensure_future(
            server.core.reload(ModelServerConfig((m(), m("missing"), m("n"))))
        )
        await asyncio.sleep(0)  # it is taken, and waited for
        await server.core.reload(ModelServerConfig((m(),)))
        with pytest.raises(StatusError) as caught:
            await waiting
        assert (caught.value.code, caught.value.message) == (
            Code.ABORTED,
            "a later configuration leaves out missing, n",
        )
        assert server.now() == {1}
        await server.core.close()

    run(main())


def test_an_empty_configuration_file_leaves_the_models_as_they_are(base, m):
    async def main():
        server = Server()
        base(1)
        await server.serve(m())
        with pytest.raises(StatusError, match="Cannot transition to requested config"):
            server.core.apply(ModelServerConfig(is_given=False))
        await server.core.poll()
        assert server.now() == {1}
        await server.core.close()

    run(main())
