"""A graph that runs: what is asked of it by name, and how it ends."""

from __future__ import annotations

import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.runtime.capi import graph as graph_module
from cloudserve.local_server.runtime.capi import registry
from cloudserve.local_server.runtime.capi import session as session_module
from cloudserve.local_server.runtime.capi import status as status_module
from cloudserve.local_server.runtime.capi.graph import Graph
from cloudserve.local_server.runtime.capi.session import Session
from cloudserve.local_server.runtime.capi.status import OpError, Status
from cloudserve.local_server.status import Code

from cloudserve.errors import MissingExtraError

FLOAT = 1


def graph_def(*nodes):
    message = message_class("tensorflow.GraphDef")()
    for name, op, *inputs in nodes:
        node = message.node.add(name=name, op=op, input=inputs)
        node.attr["dtype" if op == "Placeholder" else "T"].type = FLOAT
    return message.SerializeToString()


def adder():
    graph = Graph()
    graph.add(graph_def(("x", "Placeholder"), ("y", "AddV2", "x", "x")))
    return Session(graph)


def failure(call, *arguments):
    with pytest.raises(OpError) as caught:
        call(*arguments)
    return caught.value.error_code, caught.value.message


def test_a_session_runs_what_it_is_asked_for_by_name():
    session, x = adder(), np.array([1, 2], np.float32)
    (y,) = session.run({"x:0": x}, ["y:0"])
    assert y.tolist() == [2, 4]
    assert session.run({"x:0": x}, ["x:0", "y"][1:], ["y"])[0].tolist() == [2, 4]
    assert session.run() == []


def test_nodes_may_be_added_that_take_tensors_of_the_graph():
    session = adder()
    session.run({"x:0": np.ones(1, np.float32)}, ["y:0"])
    session.graph.add(graph_def(("z", "Neg", "mine")), {"mine": session.graph.find("y:0")})
    assert session.run({"x:0": np.ones(1, np.float32)}, ["z:0"])[0].tolist() == [-2]


@pytest.mark.parametrize("name", ["nowhere:0", "y:1", "", "^y", "y:many:0"])
def test_a_tensor_that_does_not_exist_is_reported_in_tensorflows_words(name):
    text = f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the "
    assert failure(adder().graph.find, name) == (Code.INVALID_ARGUMENT, f"{text}Graph")


def test_a_graph_that_is_invalid_is_refused_with_tensorflows_reason():
    assert failure(Graph().add, b"no graph") == (Code.INVALID_ARGUMENT, "Invalid GraphDef")
    code, message = failure(Graph().add, graph_def(("y", "AddV2", "x", "x")))
    assert (code, message) == (Code.INVALID_ARGUMENT, "Node 'y': Unknown input node 'x'")


def test_an_invalid_configuration_is_refused():
    code, message = failure(Session, Graph(), b"\xff")
    assert (code, message) == (Code.INVALID_ARGUMENT, "Unparseable ConfigProto")


def test_an_error_is_the_threads_own():
    session = adder()
    wrong, right = np.ones((2, 3), np.float32), np.ones(1, np.float32)
    run = session.prepare([session.graph.find("x:0")], [session.graph.find("y:0")])
    assert failure(session.run, {}, ["y:0"])[0] == Code.INVALID_ARGUMENT
    with ThreadPoolExecutor(4) as pool:
        for y in pool.map(run, [right, wrong] * 50):
            assert set(y[0].ravel()) == {2}


def test_a_closed_session_refuses_new_calls_and_lets_running_ones_end():
    session, x = adder(), np.ones(1, np.float32)
    run = session.prepare([session.graph.find("x:0")], [session.graph.find("y:0")])
    del session
    assert run(x)[0].tolist() == [2]
    session = adder()
    session.close()
    assert failure(session.run, {"x:0": x}, ["y:0"]) == (
        Code.CANCELLED,
        "Session has been closed.",
    )


@pytest.fixture
def deleted(monkeypatch):
    """Give a list of the sessions' pointers that are deleted, in order."""
    pointers, delete = [], Session.__del__

    def observed(session):
        pointers.append(session._pointer)
        delete(session)

    monkeypatch.setattr(Session, "__del__", observed)
    return pointers


def test_an_answer_outlives_its_session(deleted):
    session, x = adder(), np.arange(5000, dtype=np.float32)
    (y,) = session.run({"x:0": x}, ["y:0"])
    session.close()
    assert deleted == []
    del session
    assert len(deleted) == 1
    assert not y.flags.owndata
    assert np.array_equal(y, 2 * x)


def test_a_call_that_runs_keeps_its_session(deleted):
    session, large = adder(), np.ones(5_000_000, np.float32)
    run = session.prepare([session.graph.find("x:0")], [session.graph.find("y:0")])
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(run, large)
        del session, run
        assert deleted == [] or result.done()
        (y,) = result.result()
    assert set(y[:9]) == {2}
    assert len(deleted) == 1


def test_other_threads_run_while_a_graph_does():
    session = adder()
    run = session.prepare([session.graph.find("x:0")], [session.graph.find("y:0")])
    large, turns, stop_at = np.ones(30_000_000, np.float32), [0], [time.monotonic() + 20]

    def count():
        while time.monotonic() < stop_at[0]:
            turns[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = turns[0]
    run(large)
    observed, stop_at[0] = turns[0], 0
    thread.join()
    assert observed > before


def test_a_device_for_each_that_the_configuration_asks_for():
    config = message_class("tensorflow.ConfigProto")(device_count={"CPU": 2})
    names = Session(Graph(), config.SerializeToString()).devices()
    assert [name.rpartition("device:")[2] for name in names] == ["CPU:0", "CPU:1"]


def test_the_registry_is_that_of_the_installed_tensorflow():
    import tensorflow as tf

    assert registry.version() == tf.__version__
    assert {"MatMul", "_Arg", "VarHandleOp"} <= registry.registered_ops()


@pytest.mark.parametrize("make", [Graph, Status, lambda: Session(object())])
def test_without_the_library_nothing_is_deleted(make, monkeypatch):
    gc.collect()  # the sessions of other tests, which need the library

    def library():
        raise MissingExtraError("serving a model", "server")

    for module in (graph_module, session_module, status_module):
        monkeypatch.setattr(module, "library", library)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with pytest.raises(MissingExtraError):
        make()
    gc.collect()
    assert unraisable == []
