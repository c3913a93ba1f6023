"""Loading models that are warm: what the composition root wraps its loader in."""

from __future__ import annotations

import logging
from pathlib import Path
from time import perf_counter

from ..models import Loader
from ..runtime.errors import release
from ..runtime.replicas import replicas_of
from ..runtime.types import LoadedModel, LoadError
from ..status import Code, StatusError
from .replay import WARMUP_FILE, Replay, WarmupObserver

logger = logging.getLogger(__name__)


def warmed(load: Loader, iterations: int = 1, observer: WarmupObserver | None = None) -> Loader:
    """Return a loader of models that have answered the requests beside them, if there are any.

    Each runs `iterations` times on every replica, once at least. A request that fails fails the
    load, with its code and text; the loader raises LoadError then, and the model is closed.
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
    """Return a loader that tells how long each load takes, and whether it succeeds."""

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
    # What ends it as no status does is a defect.
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
    logger.info("%s is warm: %d records took %.3f s", path, replay.count, seconds)
