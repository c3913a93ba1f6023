"""`TF_Graph`: a graph imported from its message, and its tensors by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...status import Code
from ..dtypes import base_number
from .buffers import Lent
from .library import Output, library
from .status import OpError, Status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A tensor of a graph: the output of an operation, and the number of its `DataType`."""

    operation: int
    index: int
    number: int

    @property
    def output(self) -> Output:
        """Return it as the C API takes it."""
        return Output(self.operation, self.index)


class Graph:
    """A graph, deleted with its last reference."""

    __slots__ = ("_functions", "pointer")

    def __init__(self) -> None:
        self._functions = library()
        self.pointer = self._functions.TF_NewGraph()
        # Custom ops need none, as in TensorFlow's Python.
        self._functions.TF_SetRequireShapeInferenceFns(self.pointer, False)

    def __del__(self) -> None:
        if hasattr(self, "pointer"):  # not without the library
            self._functions.TF_DeleteGraph(self.pointer)

    def add(self, graph_def: bytes, inputs: Mapping[str, Endpoint] | None = None) -> None:
        """Import the nodes of a serialized `GraphDef`.

        An input that is named like a key of `inputs` is the graph's own tensor. Raises OpError.
        """
        functions, status, lent = self._functions, Status(), Lent(graph_def)
        options = functions.TF_NewImportGraphDefOptions()
        try:
            for name, tensor in (inputs or {}).items():
                functions.TF_ImportGraphDefOptionsAddInputMapping(
                    options, name.encode(), 0, tensor.output
                )
            functions.TF_GraphImportGraphDef(self.pointer, lent.buffer, options, status.pointer)
        finally:
            functions.TF_DeleteImportGraphDefOptions(options)
        status.check()

    def find(self, name: str) -> Endpoint:
        """Return a tensor by its name, such as `x:0`.

        Raises OpError (INVALID_ARGUMENT) in the words of TensorFlow's session for one that is not
        in the graph.
        """
        node, colon, index = name.rpartition(":")
        place = int(index) if colon and index.isdecimal() else 0
        operation = self.operation(node if colon and index.isdecimal() else name)
        if operation is None or place >= self._functions.TF_OperationNumOutputs(operation):
            raise OpError(
                Code.INVALID_ARGUMENT,
                f"Tensor {name}, specified in either feed_devices or fetch_devices was not found "
                "in the Graph",
            )
        number = self._functions.TF_OperationOutputType(Output(operation, place))
        return Endpoint(operation, place, base_number(number))

    def operation(self, name: str) -> int | None:
        """Return the operation of a node; None where the graph has none of that name."""
        operation: int | None = self._functions.TF_GraphOperationByName(self.pointer, name.encode())
        return operation
