"""A loader that warms up models, which wraps the composition root's loader."""

from __future__ import annotations

import logging
from pathlib import Path
from time import perf_counter

from cloudserve.plural import counted

from ..models import Loader
from ..runtime.errors import release
from ..runtime.replicas import replicas_of
from ..runtime.types import LoadedModel, LoadError
from ..status import Code, StatusError
from .replay import WARMUP_FILE, Replay, WarmupObserver

logger = logging.getLogger(__name__)


def warmed(load: Loader, iterations: int = 1, observer: WarmupObserver | None = None) -> Loader:
    """Return a loader that runs a model's warm-up records, if it has any.

    Each record runs `iterations` times, at least once, on every replica. If one fails, the model is
    closed and the loader raises LoadError with the request's code and text.
    """

    def load_warmed(path: Path) -> LoadedModel:
        model = load(path)
        try:
            _warm_up(model, path, max(iterations, 1) * len(replicas_of(model)), observer)
        except LoadError as error:
            # Its frames hold the session, and close() returns the memory.
            release(error)
            model.close()
            raise
        except BaseException:
            model.close()
            raise
        return model

    return load_warmed


def measured(load: Loader, observer: WarmupObserver) -> Loader:
    """Return a loader that reports the duration and success of each load."""

    def load_measured(path: Path) -> LoadedModel:
        began = perf_counter()
        succeeded = False
        try:
            model = load(path)
            succeeded = True
        finally:
            observer.loaded(path, perf_counter() - began, succeeded=succeeded)
        return model

    return load_measured


def _warm_up(
    model: LoadedModel, path: Path, iterations: int, observer: WarmupObserver | None
) -> None:
    file = path / WARMUP_FILE
    if not file.exists():
        return
    # Any other exception is a defect.
    replay, began, status = Replay(model, iterations), perf_counter(), Code.INTERNAL.name
    try:
        replay.run(file)
        status = Code.OK.name
    except StatusError as error:
        status = f"{error.code.name}: {error.message}"
        raise LoadError(error.code, error.message, where=str(file)) from error
    except OSError as error:
        status = f"UNKNOWN: {error}"
        text = f"the warmup records cannot be read: {error.strerror}"
        raise LoadError(Code.UNKNOWN, text, where=str(file)) from error
    finally:
        seconds = perf_counter() - began
        if observer:
            observer.warmed(path, status, replay.count, seconds)
    logger.info("%s is warm: %s took %.3f s", path, counted(replay.count, "record"), seconds)
