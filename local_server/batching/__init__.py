"""Batching: queued requests run together, as in TensorFlow Serving.

`parameters` configures it, `queues` and `scheduler` decide what runs when, `padding` and
`splitting` merge requests and split results, `model` is a loaded model whose calls are batched. It
imports numpy, never TensorFlow.
"""

from .loader import batched
from .model import BatchedModel
from .observer import BatchObserver
from .parameters import BatchingParameters, default_parameters, read_parameters
from .requests import LoopCompletion

__all__ = [
    "BatchObserver",
    "BatchedModel",
    "BatchingParameters",
    "LoopCompletion",
    "batched",
    "default_parameters",
    "read_parameters",
]
