"""The process of a server: its garbage collector, and its end."""

import ctypes
import subprocess
import sys

import pytest

SCRIPT = """
import gc
from cloudserve.cli.servers.loop import spare_old_objects
spare_old_objects()
print(gc.get_freeze_count() > 1000, gc.isenabled())
"""


def test_old_objects_are_excluded_from_collections():
    shown = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True).stdout
    assert shown == b"True True\n"


ABORTS_IN_AN_EXIT_HANDLER = """
import atexit
import ctypes
import sys
import threading
from cloudserve.cli.servers.loop import skip_exit_handlers

libc = ctypes.CDLL(None)
libc.on_exit(ctypes.cast(libc.abort, ctypes.c_void_p), None)
atexit.register(print, "atexit")
threading.Timer(0.1, print, ["a thread"]).start()
skip_exit_handlers()
sys.exit(3)
"""
RUNS_AT_THE_END = """
import atexit
import os
import signal
import sys
import threading
import numpy as np
from cloudserve.cli.servers.loop import run_until_stopped
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.runtime.capi.graph import Graph
from cloudserve.local_server.runtime.capi.session import Session
from cloudserve.local_server.transport.loop import run

PRODUCTS, SIZE, THREADS = 40, 700, 3


def products():
    message = message_class("tensorflow.GraphDef")()
    message.node.add(name="0", op="Placeholder").attr["dtype"].type = 1
    for number in range(PRODUCTS):
        node = message.node.add(name=str(number + 1), op="MatMul", input=[str(number)] * 2)
        node.attr["T"].type = 1
    graph = Graph()
    graph.add(message.SerializeToString())
    return Session(graph).prepare([graph.find("0:0")], [graph.find(f"{PRODUCTS}:0")])


class Server:
    def __init__(self):
        self.multiply, self.matrix = products(), np.zeros((SIZE, SIZE), np.float32)
        self.ran = threading.Semaphore(0)

    async def start(self):
        for _ in range(THREADS):
            threading.Thread(target=self.keep_running, daemon=True).start()
        for _ in range(THREADS):
            self.ran.acquire()

    def keep_running(self):
        while True:
            self.multiply(self.matrix)
            self.ran.release()

    async def stop(self):
        pass


atexit.register(print, "Python has ended")
run(run_until_stopped(Server(), lambda: os.kill(os.getpid(), signal.SIGTERM)))
sys.exit(3)
"""


needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "on_exit"), reason="on_exit is a function of glibc"
)


def end_of(script):
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout


@needs_glibc
def test_python_ends_as_always_and_no_exit_handler_of_c_runs():
    assert end_of(ABORTS_IN_AN_EXIT_HANDLER) == (3, "a thread\natexit\n")


@needs_glibc
@pytest.mark.slow
def test_a_process_whose_threads_run_a_model_at_its_end_exits_with_its_code():
    """Without `skip_exit_handlers` it is killed by SIGSEGV, in oneDNN's cache of primitives."""
    assert end_of(RUNS_AT_THE_END) == (3, "Python has ended\n")
