"""A loader of batched models, which wraps the composition root's loader."""

from __future__ import annotations

from pathlib import Path

from ..models import Loader
from ..runtime.types import LoadedModel, LoadError
from ..status import StatusError
from .model import BatchedModel
from .observer import BatchObserver
from .parameters import BatchingParameters, check_pool, check_queues, read_parameters
from .scheduler import Scheduler

_OWN_FILE = "batching_params.pbtxt"


def batched(
    load: Loader,
    parameters: BatchingParameters | None,
    *,
    per_model: bool = False,
    observer: BatchObserver | None = None,
) -> Loader:
    """Return a loader of batched models; all share one pool of batch threads.

    With `per_model`, each model's `batching_params.pbtxt` beside its `saved_model.pb` is used: a
    model without the file is not batched, and of `parameters` only the pool's size and name apply.
    Without parameters `load` is returned. The observer is called for every model's batches.

    Raises StatusError for a pool without threads; the loader raises LoadError for parameters that
    are invalid for a queue.
    """
    if parameters is None:
        return load
    check_pool(parameters)
    scheduler = Scheduler(parameters.num_batch_threads, parameters.thread_pool_name)

    def load_batched(path: Path) -> LoadedModel:
        chosen = _read_own(path) if per_model else parameters
        if chosen is None:
            return load(path)
        # Before the load, which may take minutes.
        check_queues(chosen)
        return BatchedModel(load(path), chosen, scheduler, observer)

    return load_batched


def self_batched(load: Loader, observer: BatchObserver | None = None) -> Loader:
    """Return a loader of models that the server batches by itself, as the measured costs show.

    The observer is called for every model's batches.
    """
    threads = BatchingParameters()
    scheduler = Scheduler(threads.num_batch_threads, threads.thread_pool_name)

    def load_batched(path: Path) -> LoadedModel:
        return BatchedModel(load(path), None, scheduler, observer)

    return load_batched


def _read_own(path: Path) -> BatchingParameters | None:
    """Read a model's own file; None if there is none. Raises LoadError."""
    file = path / _OWN_FILE
    if not file.exists():
        return None
    try:
        return read_parameters(file)
    except StatusError as error:
        raise LoadError(error.code, error.message, where=str(file)) from error
