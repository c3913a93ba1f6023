"""A deferred result: callbacks, coroutines that await it, cancellation."""

import asyncio

import pytest
from cloudserve.local_server.deferred import Deferred, in_loop


def test_callbacks_get_the_outcome_at_once_or_when_it_arrives():
    deferred, heard = Deferred(), []
    deferred.then(heard.append)
    assert heard == []
    deferred.settle(1)
    deferred.then(heard.append)
    assert heard == [1, 1]
    assert (deferred.is_done, deferred.outcome) == (True, 1)


def test_only_the_first_outcome_counts():
    deferred, heard = Deferred(), []
    deferred.then(heard.append)
    deferred.settle(1)
    deferred.settle(2)
    assert (heard, deferred.outcome) == ([1], 1)


@pytest.mark.parametrize("before", [True, False])
def test_a_coroutine_awaits_the_result_or_gets_the_error(before):
    async def main(outcome):
        deferred = Deferred()
        if before:
            deferred.settle(outcome)
        else:
            asyncio.get_running_loop().call_soon(deferred.settle, outcome)
        return await deferred

    assert asyncio.run(main(7)) == 7
    with pytest.raises(ValueError, match="seven"):
        asyncio.run(main(ValueError("seven")))


def test_a_cancelled_coroutine_cancels_what_it_awaits():
    async def main():
        deferred = Deferred()

        async def wait():
            await deferred.map(str)

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)  # lets it begin to wait
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return deferred.outcome

    assert isinstance(asyncio.run(main()), asyncio.CancelledError)


def test_a_map_is_settled_with_the_result_of_the_function_or_its_error():
    deferred = Deferred()
    half, error = deferred.map(lambda number: number / 2), deferred.map(lambda number: number / 0)
    deferred.settle(4)
    assert half.outcome == 2
    assert isinstance(error.outcome, ZeroDivisionError)


def test_a_cancelled_map_stays_cancelled():
    deferred = Deferred()
    mapped = deferred.map(pytest.fail)
    mapped.cancel()
    assert isinstance(mapped.outcome, asyncio.CancelledError)
    assert isinstance(deferred.outcome, asyncio.CancelledError)


def test_a_closed_loop_is_reported():
    loop = asyncio.new_event_loop()
    loop.close()
    assert not in_loop(loop, pytest.fail)
