"""From the folder of a SavedModel to a model in memory: a session for each of its devices.

A model whose variables neither its restore op nor its object graph sets is loaded by TensorFlow's
Python instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ..messages import Message
from ..status import StatusError
from .callables import SessionModel
from .capi.graph import Graph
from .capi.session import Session
from .config import read_config, session_config
from .devices import Device, find_devices
from .eager import load_eagerly
from .errors import release
from .loading.op_libraries import OpSource
from .loading.restore import Restored, Rules, restore
from .loading.serving_image import ServingImage
from .memory import collect
from .options import SessionOptions
from .replicas import ReplicatedModel
from .tensorflow import import_tensorflow
from .types import LoadedModel, LoadError, Ran

_logger = logging.getLogger(__name__)

_SERVE = ("serve",)


def load_model(
    path: Path,
    tags: tuple[str, ...] = _SERVE,
    options: SessionOptions | None = None,
    image: ServingImage | None = None,
) -> LoadedModel:
    """Load the SavedModel at `path` (the folder of saved_model.pb) with these tags.

    `image` loads it as the TensorFlow Serving of a prebuilt image does. Raises LoadError (a
    ModelError) with TensorFlow's reason in one line, and StatusError for a configuration file that
    cannot be read.
    """
    return session_loader(tags, options, image=image)(path)


def session_loader(
    tags: tuple[str, ...] = _SERVE,
    options: SessionOptions | None = None,
    ran: Ran | None = None,
    image: ServingImage | None = None,
) -> Callable[[Path], LoadedModel]:
    """Return what does the same with a configuration that is read now, and once.

    `ran` is called after every run of the models. Raises StatusError for a configuration file that
    cannot be read.
    """
    chosen = options or SessionOptions()
    from_file = read_config(chosen) if chosen.config_file else None

    def load(path: Path) -> LoadedModel:
        config = read_config(chosen) if from_file is None else from_file
        try:
            return _load(path, tags, config, chosen, ran, image)
        except LoadError as error:
            # The error is kept as long as the version is listed.
            release(error)
            collect()
            raise

    return load


def _load(
    path: Path,
    tags: tuple[str, ...],
    base: Message,
    options: SessionOptions,
    ran: Ran | None,
    image: ServingImage | None,
) -> LoadedModel:
    devices = _find_devices(path, base, options)
    config = session_config(base, devices)
    rules = Rules(OpSource(image, options.op_libraries), options.denied_ops)
    restore_on = partial(restore, path, tags, config, rules=rules)
    first, *others = devices or (None,)
    restored = restore_on(first)
    if restored.session is None:
        return _load_eagerly(path, tags, restored, devices, ran)
    model = partial(SessionModel, in_pool=base.inter_op_parallelism_threads > 0, ran=ran)
    if not others:
        return model(restored)
    with ExitStack() as opened:
        replicas = [model(restored)]
        opened.callback(replicas[0].close)
        for device in others:
            replicas.append(model(restore_on(device)))
            opened.callback(replicas[-1].close)
        # Only a failure closes what was opened.
        opened.pop_all()
    return ReplicatedModel(replicas)


def _find_devices(path: Path, config: Message, options: SessionOptions) -> tuple[Device, ...]:
    try:
        return find_devices(options.devices, lambda: _device_names(config))
    except StatusError as error:
        raise LoadError(error.code, error.message, where=str(path)) from error


def _device_names(config: Message) -> list[str]:
    return Session(Graph(), config.SerializeToString()).devices()


def _load_eagerly(
    path: Path,
    tags: tuple[str, ...],
    restored: Restored,
    devices: Sequence[Device],
    ran: Ran | None,
) -> LoadedModel:
    unset = ", ".join(restored.unset)
    _logger.info("%s: a session cannot restore %s; loading it eagerly", path, unset)
    if devices:
        _logger.warning("%s: loaded eagerly it has one replica, where TensorFlow puts it", path)
    tf = import_tensorflow(f"{path} has variables that a session cannot restore")
    return load_eagerly(tf, path, tags, restored, ran)
