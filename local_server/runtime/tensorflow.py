"""The one import of TensorFlow's Python, for the few models that the C API cannot serve."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
import threading
import warnings
from typing import Any

from cloudserve.errors import MissingExtraError

from .quiet import prepare_process, without_chatter

_logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


def import_tensorflow(reason: str = "") -> Any:
    """Return the `tensorflow` module, imported without its chatter unless the user asked for it.

    `reason` is logged by the import that is the first of the process: it takes seconds, and
    hundreds of megabytes. Raises MissingExtraError where it is not installed.
    """
    with _one_at_a_time:
        if "tensorflow" in sys.modules:
            return _import()
        if reason:
            _logger.info("importing TensorFlow's Python: %s", reason)
        if not prepare_process():
            return _import_for_good()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        with without_chatter():
            return _import_for_good()


def _import() -> Any:
    try:
        with warnings.catch_warnings():
            # Google's packages announce, by the date, that they stop supporting a Python.
            warnings.filterwarnings("ignore", "You are using a .*Python version", FutureWarning)
            return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise MissingExtraError("serving a model", "server") from error


def _import_for_good() -> Any:
    """Import TensorFlow, and take its 300,000 objects out of the garbage collector's sight.

    They stay as long as the process; to look at all of them held requests up for a tenth of a
    second, now and then.
    """
    module = _import()
    gc.collect()
    gc.freeze()
    return module
