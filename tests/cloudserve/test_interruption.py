"""Work in another thread than the main one ends as by Ctrl-C: its next wait or step raises."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudserve.interruption import Interruption, check_interrupted, interruptible, pause

AN_HOUR = 3600.0


def test_a_wait_ends_when_another_thread_asks_for_it():
    interruption, begun = Interruption(), threading.Event()

    def work():
        with interruptible(interruption):
            begun.set()
            with pytest.raises(KeyboardInterrupt):
                pause(AN_HOUR)
            # Once, as Ctrl-C: the work records its end without another.
            pause(0)
            check_interrupted()
            return "recorded"

    with ThreadPoolExecutor(1) as threads:
        end = threads.submit(work)
        begun.wait()
        interruption.request()
        assert end.result() == "recorded"


def test_a_step_does_not_begin_after_the_request():
    interruption = Interruption()
    interruption.request()
    with interruptible(interruption), pytest.raises(KeyboardInterrupt):
        check_interrupted()


def test_other_threads_and_later_work_are_not_interrupted():
    interruption = Interruption()
    with interruptible(interruption), ThreadPoolExecutor(1) as threads:
        interruption.request()
        threads.submit(check_interrupted).result()
    check_interrupted()
    pause(0)
