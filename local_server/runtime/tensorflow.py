"""The one import of TensorFlow, made when a model is loaded and not before."""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

from cloudserve.errors import MissingExtraError

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"


def import_tensorflow() -> Any:
    """Return the `tensorflow` module, without its chatter unless the user set a log level.

    Raises MissingExtraError where it is not installed.
    """
    if _LOG_LEVEL not in os.environ:
        # Read while TensorFlow is imported. What is an error to a request comes as an exception.
        os.environ[_LOG_LEVEL] = _FATAL_ONLY
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise MissingExtraError("serving a model", "server") from error
