"""From the folder of a SavedModel to a model in memory: a session for each of its devices.

A model whose variables a session cannot restore is loaded eagerly instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..status import StatusError
from .callables import SessionModel
from .config import read_config, session_config
from .devices import find_devices
from .eager import load_eagerly
from .options import SessionOptions
from .replicas import ReplicatedModel
from .restore import Restored, restore
from .tensorflow import import_tensorflow
from .types import LoadedModel, LoadError

_logger = logging.getLogger(__name__)

_SERVE = ("serve",)


def load_model(
    path: Path, tags: tuple[str, ...] = _SERVE, options: SessionOptions | None = None
) -> LoadedModel:
    """Load the SavedModel at `path` (the folder of saved_model.pb) with these tags.

    Raises LoadError (a ModelError) with TensorFlow's reason in one line, and StatusError for a
    configuration file that cannot be read.
    """
    return session_loader(tags, options)(path)


def session_loader(
    tags: tuple[str, ...] = _SERVE, options: SessionOptions | None = None
) -> Callable[[Path], LoadedModel]:
    """Return what does the same with a configuration that is read now, and once.

    Imports TensorFlow where there is a configuration file. Raises StatusError for that file.
    """
    chosen = options or SessionOptions()
    given = read_config(chosen) if chosen.config_file else None

    def load(path: Path) -> LoadedModel:
        return _load(path, tags, given or read_config(chosen), chosen.devices)

    return load


def _load(path: Path, tags: tuple[str, ...], given: Any, words: tuple[str, ...]) -> LoadedModel:
    tf = import_tensorflow()
    try:
        devices = find_devices(tf, words)
    except StatusError as error:
        raise LoadError(error.code, error.message, where=str(path)) from error
    config = session_config(given, devices)
    first, *others = devices or (None,)
    restored = restore(tf, path, tags, config, first)
    if restored.unset:
        restored.session.close()
        return _fall_back(tf, path, tags, restored, len(others))
    in_pool = given.inter_op_parallelism_threads > 0
    with ExitStack() as opened:
        models = [_open(opened, restored, in_pool=in_pool)]
        for device in others:
            again = restore(tf, path, tags, config, device)
            models.append(_open(opened, again, in_pool=in_pool))
        opened.pop_all()
    return ReplicatedModel(models) if others else models[0]


def _open(opened: ExitStack, restored: Restored, *, in_pool: bool) -> LoadedModel:
    model = SessionModel(restored, in_pool=in_pool)
    opened.callback(model.close)
    return model


def _fall_back(
    tf: Any, path: Path, tags: tuple[str, ...], restored: Restored, others: int
) -> LoadedModel:
    unset = ", ".join(restored.unset)
    _logger.info("%s: a session cannot restore %s; loading it eagerly", path, unset)
    if others:
        _logger.warning("%s: loaded eagerly it has one replica, where TensorFlow puts it", path)
    return load_eagerly(tf, path, tags, restored)
