"""Client-side A/B: shares, the same version for the same key, pins, and mirrored requests."""

import asyncio
import hashlib
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve import AsyncClient, Client, Mirror, Weights
from cloudserve.client.differences import Tolerance, compare
from cloudserve.errors import UserError

KEYS = [f"user-{number}" for number in range(4000)]


def test_keys_are_divided_by_the_shares():
    weights = Weights({"stable": 90, "canary": 10})
    counts = Counter(map(weights.choose, KEYS))
    assert counts["canary"] / len(KEYS) == pytest.approx(0.1, abs=0.02)


def test_a_key_always_has_the_same_version():
    shares = {"1": 0.5, "2": 0.5}
    assert [Weights(shares).choose(k) for k in KEYS] == [Weights(shares).choose(k) for k in KEYS]


def test_a_key_has_the_place_that_the_documentation_names():
    digest = hashlib.blake2b(b"salt\0\xc3\xa4", digest_size=8).digest()
    place = Weights({"1": 1}, salt="salt").place("ä")
    assert place == pytest.approx(int.from_bytes(digest, "big") / 2**64, abs=1e-15)


def test_a_larger_share_moves_only_the_keys_between_the_bounds():
    before, after = Weights({"1": 90, "2": 10}), Weights({"1": 80, "2": 20})
    moved = {(before.choose(k), after.choose(k)) for k in KEYS}
    assert moved == {("1", "1"), ("1", "2"), ("2", "2")}


def test_another_salt_divides_in_another_way():
    one, other = (Weights({"1": 1, "2": 1}, salt=salt) for salt in ("a", "b"))
    assert any(one.choose(k) != other.choose(k) for k in KEYS)


SHARES = st.dictionaries(st.text(max_size=2), st.floats(0, 1e9), min_size=1, max_size=4)


@given(SHARES, st.none() | st.text(max_size=3))
def test_only_versions_with_a_share_are_chosen(shares, key):
    if sum(shares.values()) > 0:
        assert shares[Weights(shares).choose(key)] > 0


@pytest.mark.parametrize("shares", [{}, {"1": 0}, {"1": -1, "2": 2}, {"1": float("nan")}])
def test_weights_that_divide_nothing_are_refused(shares):
    with pytest.raises(UserError, match="the weights must be numbers from 0"):
        Weights(shares)


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_labels_are_asked_by_their_weights(echo, transport):
    weights = Weights({"stable": 1, "canary": 1})
    with Client(echo.addresses[transport], weights=weights) as client:
        for key in KEYS[:8]:
            answer = client.predict([1.0], signature="float32", key=key)
            assert answer.version == {"stable": "1", "canary": "2"}[weights.choose(key)]
        pinned = client.predict([1.0], signature="float32", key="x", version="1")
        assert pinned.version == "1"


def test_an_event_loop_asks_by_the_same_weights(echo):
    weights = Weights({"1": 1, "2": 1})

    async def ask():
        async with AsyncClient(echo.rest, weights=weights) as client:
            return [await client.predict([1.0], signature="float32", key=k) for k in KEYS[:8]]

    assert [a.version for a in asyncio.run(ask())] == [weights.choose(k) for k in KEYS[:8]]


def test_copies_are_compared(echo):
    with Client(echo.grpc) as second:
        mirror = Mirror(second)
        with Client(echo.rest, mirror=mirror) as client:
            for number in range(5):
                client.predict([float(number)], signature="float32")
        report = mirror.close()
    assert (report.compared, report.differing, report.failed) == (5, 0, 0)
    assert report.largest == {"x_out": 0.0}


class Second:
    """A second client that answers by a function."""

    def __init__(self, predict):
        self.predict = predict


def test_differences_and_failures_are_reported_and_change_no_answer(echo):
    with Client(echo.rest) as plain:

        def other(inputs, signature=None):
            if inputs == [3.0]:
                raise UserError("no", hint="none")
            return plain.predict([inputs[0] + 0.5], signature=signature)

        mirror = Mirror(Second(other))
        with Client(echo.rest, mirror=mirror) as client:
            answers = [client.predict([v], signature="float32").array[0] for v in (1.0, 3.0)]
        report = mirror.close()
    assert answers == [1.0, 3.0]
    assert (report.compared, report.differing, report.failed) == (1, 1, 1)
    assert report.findings == ("`x_out` differs by up to 0.5", "the copy failed: no")


def test_a_copy_has_the_values_of_the_request_and_a_defect_ends_no_thread(echo):
    copies, released = [], threading.Event()

    def other(inputs, signature=None):
        released.wait(60)
        copies.append(inputs["x"].tolist())
        raise ZeroDivisionError("odd")

    mirror = Mirror(Second(other))
    buffer = np.zeros(1, np.float32)
    with Client(echo.rest, mirror=mirror) as client:
        for number in (1.0, 2.0):
            buffer[:] = number
            client.predict({"x": buffer}, signature="float32")
        released.set()
        report = mirror.close()
        client.predict({"x": buffer}, signature="float32")
    assert copies == [[1.0], [2.0]]
    assert report.failed == 2
    assert report.findings == ("the copy failed: ZeroDivisionError: odd",) * 2
    assert mirror.close().dropped == 1


def test_no_share_copies_nothing(echo):
    mirror = Mirror(Second(None), share=0)
    with Client(echo.rest, mirror=mirror) as client:
        client.predict([1.0], signature="float32")
    assert mirror.close().compared == 0


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_the_whole_is_refused(share):
    with pytest.raises(UserError, match="is not from 0 to 1"):
        Mirror(Second(None), share=share)


@pytest.mark.parametrize(
    ("one", "other", "finding"),
    [
        ([1.0, np.nan], [1.0, np.nan], ()),
        ([1.0], [1.0 + 1e-7], ()),
        ([1.0], [2.0], ("`y` differs by up to 1",)),
        ([np.inf], [1.0], ("`y` differs by up to 0",)),
        ([1.0], [[1.0]], ("`y` has the shapes [1] and [1, 1]",)),
        ([2**63 - 1], [2**63 - 1], ()),
        (np.array([b"a"], object), np.array([b"b"], object), ("`y` has other values",)),
    ],
)
def test_outputs_are_compared_within_the_tolerance(one, other, finding):
    difference = compare({"y": np.array(one)}, {"y": np.array(other)}, Tolerance())
    assert difference.findings == finding
