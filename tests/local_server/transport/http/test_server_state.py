"""Requests of one turn of the loop: all handled, then all answered, independently."""

from __future__ import annotations

import asyncio
import logging

import pytest
from cloudserve.local_server.transport.http import server_state
from cloudserve.local_server.transport.http.server_state import ServerState
from cloudserve.local_server.transport.limits import Limits
from cloudserve.local_server.transport.types import Head, Request, Response

from ..conftest import App


class Asker:
    """A connection that notes what becomes of its request."""

    def __init__(self, events, name, defect=None):
        self.request = Request(Head("GET", f"/{name}"))
        self._events = events
        self._name = name
        self._defect = defect

    def take(self, request, answer):
        assert request is self.request
        self._events.append(("answered", self._name, answer))
        if self._defect:
            raise self._defect

    def abort(self):
        self._events.append(("aborted", self._name))


class Story:
    """A state, whose application notes what it is asked."""

    def __init__(self):
        self.events = []
        self.state = ServerState(App(self._answer), Limits(), asyncio.get_running_loop())

    def _answer(self, request):
        name = request.head.path[1:]
        self.events.append(("handled", name))
        if name == "wrong":
            raise ZeroDivisionError
        return Response(200, name.encode())

    async def ask(self, *askers):
        for asker in askers:
            self.state.ask(asker, asker.request)
        await asyncio.sleep(0)
        return self.events


def summary(events):
    return [(what, name) for what, name, *_ in events]


async def two():
    story = Story()
    return await story.ask(Asker(story.events, "a"), Asker(story.events, "b"))


def test_requests_of_one_turn_are_all_handled_before_the_first_is_answered():
    assert summary(asyncio.run(two())) == [
        ("handled", "a"),
        ("handled", "b"),
        ("answered", "a"),
        ("answered", "b"),
    ]


def test_no_answer_waits_long_for_others(monkeypatch):
    monkeypatch.setattr(server_state, "_LONGEST_WAIT_SECONDS", 0.0)
    assert summary(asyncio.run(two())) == [
        ("handled", "a"),
        ("answered", "a"),
        ("handled", "b"),
        ("answered", "b"),
    ]


def test_a_request_that_fails_harms_no_other():
    async def ask():
        story = Story()
        return await story.ask(Asker(story.events, "wrong"), Asker(story.events, "b"))

    *_, failed, answered = asyncio.run(ask())
    assert failed[:2] == ("answered", "wrong")
    assert isinstance(failed[2], ZeroDivisionError)
    assert answered == ("answered", "b", Response(200, b"b"))


def test_a_connection_that_cannot_be_answered_is_closed_alone(caplog):
    async def ask():
        story = Story()
        broken = Asker(story.events, "a", defect=ValueError("no"))
        return await story.ask(broken, Asker(story.events, "b"))

    with caplog.at_level(logging.ERROR):
        *_, last, cut_off, answered = asyncio.run(ask())
    assert last[:2] == ("answered", "a")
    assert cut_off == ("aborted", "a")
    assert answered[:2] == ("answered", "b")
    assert "GET /a could not be answered" in caplog.text


def test_nothing_is_quiet_while_a_request_waits_to_be_handled():
    async def ask():
        story = Story()
        asker = Asker(story.events, "a")
        story.state.ask(asker, asker.request)
        story.state.join(asker)
        story.state.leave(asker)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(story.state.quiet(), 0)
        await asyncio.wait_for(story.state.quiet(), 20)
        return story.events

    assert summary(asyncio.run(ask())) == [("handled", "a"), ("answered", "a")]
