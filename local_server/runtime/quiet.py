"""What a process sets before TensorFlow's libraries are opened, and their chatter held back.

Both doors use it: the C API (`capi`), and the Python package (`tensorflow`).
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO

from .memory import keep_activations

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"
# "0" is TensorFlow's own choice: oneDNN's pool. It waits 10 s under its lock, and every model with
# it, when a request makes one model ask for more memory than there is; and it returns none to the
# system. Read at the first allocation.
_SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"

_STDERR = 2
# What TensorFlow's C++ logs before it has read its log level; no variable silences it.
_CHATTER = re.compile(
    rb"[IW]0000 |WARNING: All log messages before absl::InitializeLog"
    # TensorFlow 2.18 and 2.19 on any machine, as errors.
    rb"|E0000 .* Unable to register cu(DNN|BLAS|FFT) factory"
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
)


def prepare_process() -> bool:
    """Choose the allocator and the log level, and return whether messages are held back.

    A log level below 3 in the environment asks for it. Memory comes from the C library unless the
    environment says otherwise (TF_ONEDNN_USE_SYSTEM_ALLOCATOR=0). Call it before TensorFlow's
    libraries are opened: both are read then. A second call changes nothing.
    """
    if os.environ.setdefault(_SYSTEM_ALLOCATOR, "1") == "1":
        keep_activations()
    # What is an error to a request comes as an exception.
    return os.environ.setdefault(_LOG_LEVEL, _FATAL_ONLY) == _FATAL_ONLY


def prepared() -> AbstractContextManager[None]:
    """Return a context in which TensorFlow's libraries are opened, quietly unless asked not to."""
    return without_chatter() if prepare_process() else nullcontext()


_holding = threading.Lock()
_holders: list[tuple[int, IO[bytes]]] = []
"""For each context that is entered: the real stderr, and the file that has it now; the same."""


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what the process writes to stderr, then write it without TensorFlow's chatter.

    Several threads may do so at the same time: what is held is written when the last has left.
    """
    try:
        with _holding:
            _holders.append(_holders[0] if _holders else _hold())
    except OSError:  # a process without a stderr
        yield
        return
    try:
        yield
    finally:
        with _holding:
            real, held = _holders.pop()
            if not _holders:
                _release(real, held)


def _hold() -> tuple[int, IO[bytes]]:
    real = os.dup(_STDERR)
    try:
        held = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_release`
    except OSError:  # no folder for temporary files can be written
        os.close(real)
        raise
    os.dup2(held.fileno(), _STDERR)
    return real, held


def _release(real: int, held: IO[bytes]) -> None:
    with held:
        os.dup2(real, _STDERR)
        os.close(real)
        held.seek(0)
        os.write(_STDERR, b"".join(line for line in held if not _CHATTER.match(line)))
