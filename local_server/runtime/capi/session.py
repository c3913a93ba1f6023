"""`TF_Session`: a graph that runs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..types import Tensor
from .buffers import Lent
from .graph import Endpoint, Graph
from .library import Output, library
from .status import Status, thread_status
from .tensors import new_tensor, take_array

_IN_CALLERS_THREAD = bytes.fromhex("18ffffffffffffffffff01")
"""`RunOptions(inter_op_thread_pool=-1)`: ops on the CPU run in the calling thread."""

Run = Callable[..., list[Tensor]]
"""Takes the fed arrays, in order, and returns the fetched ones. Raises OpError."""


class Session:
    """A session of a graph; both are deleted with the last reference, one of a running call too.

    Raises OpError where the configuration, a serialized `ConfigProto`, cannot be had.
    """

    __slots__ = ("_functions", "_lent", "_pointer", "graph")

    def __init__(self, graph: Graph, config: bytes = b"") -> None:
        self._pointer = None  # first: without the library there is nothing to delete
        self.graph = graph
        self._lent = Lent(_IN_CALLERS_THREAD)
        self._functions = functions = library()
        status = Status()
        options = functions.TF_NewSessionOptions()
        try:
            functions.TF_SetConfig(options, config, len(config), status.pointer)
            status.check()
            self._pointer = functions.TF_NewSession(graph.pointer, options, status.pointer)
        finally:
            functions.TF_DeleteSessionOptions(options)
        status.check()

    def __del__(self) -> None:
        if self._pointer is not None:
            status = Status()
            self._functions.TF_DeleteSession(self._pointer, status.pointer)

    def close(self) -> None:
        """End the calls that run, and refuse others: "Session has been closed." (CANCELLED)."""
        status = Status()
        self._functions.TF_CloseSession(self._pointer, status.pointer)

    def prepare(
        self,
        feeds: Sequence[Endpoint],
        fetches: Sequence[Endpoint] = (),
        targets: Sequence[str] = (),
        *,
        in_pool: bool = False,
    ) -> Run:
        """Return what runs the graph with tensors fed, and of it what these fetches need.

        `targets` are nodes to run without a result. `in_pool` runs ops in TensorFlow's threads,
        several at a time, instead of in the caller's.
        """
        functions, session = self._functions, self
        delete = functions.TF_DeleteTensor
        fed, fetched = _outputs(feeds), _outputs(fetches)
        operations = (ctypes.c_void_p * len(targets))(*map(self._target, targets))
        options = None if in_pool else ctypes.byref(self._lent.buffer)
        in_type, out_type = ctypes.c_void_p * len(feeds), ctypes.c_void_p * len(fetches)
        into = [endpoint.number for endpoint in feeds]
        out_of = [endpoint.number for endpoint in fetches]

        def run(*arrays: Tensor) -> list[Tensor]:
            status, results = thread_status(), out_type()
            tensors: list[int] = []
            try:
                for array, number in zip(arrays, into, strict=True):
                    tensors.append(new_tensor(array, number))
                functions.TF_SessionRun(
                    *(session._pointer, options),
                    *(fed, in_type(*tensors), len(into)),
                    *(fetched, results, len(out_of)),
                    *(operations, len(operations), None, status.pointer),
                )
            finally:
                for tensor in tensors:
                    delete(tensor)
            status.check()
            return [take_array(*one) for one in zip(results, out_of, strict=True)]

        return run

    def run(
        self,
        feeds: Mapping[str, Tensor] | None = None,
        fetches: Sequence[str] = (),
        targets: Sequence[str] = (),
    ) -> list[Tensor]:
        """Run the graph once, tensors and nodes by their names. Raises OpError."""
        if not fetches and not targets:
            return []  # which TensorFlow refuses
        fed = feeds or {}
        find = self.graph.find
        run = self.prepare([*map(find, fed)], [*map(find, fetches)], targets)
        return run(*fed.values())

    def devices(self) -> list[str]:
        """Return the names of the session's devices, such as `…/device:CPU:0`."""
        functions, status = self._functions, Status()
        listed = functions.TF_SessionListDevices(self._pointer, status.pointer)
        status.check()
        try:
            count = functions.TF_DeviceListCount(listed)
            return [
                functions.TF_DeviceListName(listed, i, status.pointer).decode()
                for i in range(count)
            ]
        finally:
            functions.TF_DeleteDeviceList(listed)

    def _target(self, node: str) -> int:
        operation = self.graph.operation(node)
        return self.graph.find(node).operation if operation is None else operation


def _outputs(endpoints: Sequence[Endpoint]) -> Any:
    return (Output * len(endpoints))(*[endpoint.output for endpoint in endpoints])
