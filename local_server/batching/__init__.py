"""Batching: queued requests run together, by TensorFlow Serving's rules or by measured costs.

`parameters` configures it, `queues` and `scheduler` decide what runs when, `padding` and
`splitting` merge requests and split results, `model` is a loaded model whose calls are batched.
`groups`, `costs`, `grouping` and `row_independence` are the rules of a server that batches by
itself. It imports numpy, never TensorFlow.
"""

from .loader import batched, self_batched
from .model import BatchedModel, Route
from .observer import BatchObserver
from .parameters import BatchingParameters, default_parameters, read_parameters
from .requests import LoopCompletion

__all__ = [
    "BatchObserver",
    "BatchedModel",
    "BatchingParameters",
    "LoopCompletion",
    "Route",
    "batched",
    "default_parameters",
    "read_parameters",
    "self_batched",
]
