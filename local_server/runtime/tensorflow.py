"""The one import of TensorFlow, made when a model is loaded and not before."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cloudserve.errors import MissingExtraError

from .memory import keep_activations

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"
# "0" is TensorFlow's own choice: oneDNN's pool. It waits 10 s under its lock, and every model with
# it, when a request makes one model ask for more memory than there is; and it returns none to the
# system. Read at the first allocation.
_SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"

_STDERR = 2
# What TensorFlow's C++ logs before it has read its log level; no variable silences it.
_CHATTER = re.compile(rb"[IW]0000 |WARNING: All log messages before absl::InitializeLog")
_one_at_a_time = threading.Lock()


def import_tensorflow() -> Any:
    """Return the `tensorflow` module, imported without its chatter unless the user asked for it.

    A log level below 3 in the environment asks for it. Memory comes from the C library unless the
    environment says otherwise (TF_ONEDNN_USE_SYSTEM_ALLOCATOR=0).

    Raises MissingExtraError where it is not installed.
    """
    with _one_at_a_time:
        if "tensorflow" in sys.modules:
            return _import()
        if os.environ.setdefault(_SYSTEM_ALLOCATOR, "1") == "1":
            keep_activations()
        # Read while TensorFlow is imported. What is an error to a request comes as an exception.
        level = os.environ.setdefault(_LOG_LEVEL, _FATAL_ONLY)
        if level != _FATAL_ONLY:
            return _import_for_good()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        with without_chatter():
            return _import_for_good()


def _import() -> Any:
    try:
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


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what the process writes to stderr, then write it without TensorFlow's chatter."""
    try:
        real = os.dup(_STDERR)
    except OSError:  # a process without a stderr
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(real, _STDERR)
            os.close(real)
            held.seek(0)
            os.write(_STDERR, b"".join(line for line in held if not _CHATTER.match(line)))
