"""Batching: requests that wait together run together, as in TensorFlow Serving.

`parameters` says how, `queues` and `scheduler` decide what runs when, `padding` and `splitting`
make one call of many requests and back, `model` is a loaded model whose calls are batched. Nothing
else of the server knows. Imports numpy; TensorFlow never.
"""

from .loader import batched
from .model import BatchedModel
from .observer import BatchObserver
from .parameters import BatchingParameters, default_parameters, read_parameters
from .tasks import LoopTicket

__all__ = [
    "BatchObserver",
    "BatchedModel",
    "BatchingParameters",
    "LoopTicket",
    "batched",
    "default_parameters",
    "read_parameters",
]
