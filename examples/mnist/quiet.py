"""TensorFlow, imported without the lines that its libraries write to stderr while they load."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_stderr() -> Iterator[None]:
    """Send what the process writes to stderr nowhere."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with no_stderr():
    import tensorflow as tf

logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["tf"]
