"""The thread pool finishes started files first, and the first failure stops it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from cloudserve.storage import pool
from cloudserve.storage.retry import StoppedError


def test_tasks_returned_by_a_task_run_before_waiting_tasks():
    done = []

    def note(name, follow=()):
        done.append(name)
        return follow

    parts = [partial(note, "a1"), partial(note, "a2")]
    pool.run([partial(note, "a", parts), partial(note, "b")], threading.Event(), workers=1)
    assert done == ["a", "a1", "a2", "b"]


def test_so_many_tasks_run_at_once_and_no_more():
    lock, met = threading.Lock(), threading.Barrier(3)
    running, most = 0, 0

    def task():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        met.wait(20)  # none of three continues before the other two have started
        with lock:
            running -= 1
        return ()

    pool.run([task] * 9, threading.Event(), workers=3)
    assert most == 3


def test_the_first_failure_is_raised_and_nothing_is_begun_after_it():
    stop, begun = threading.Event(), []

    def wait():
        assert stop.wait(20)
        raise StoppedError

    def fail():
        raise LookupError("the cause")

    tasks = [wait, fail, partial(begun.append, "third")]
    with pytest.raises(LookupError, match="the cause"):
        pool.run(tasks, stop, workers=2)
    assert stop.is_set()
    assert begun == []


def test_no_tasks_are_not_an_error():
    pool.run([], threading.Event())
