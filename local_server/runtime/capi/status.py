"""`TF_Status`: how a call of the C API ended."""

from __future__ import annotations

import threading

from .library import library


class OpError(Exception):
    """A call that failed: TensorFlow's code and text, under the names of its Python's OpError."""

    def __init__(self, error_code: int, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.message = message


class Status:
    """A status that calls write into; the last call counts."""

    __slots__ = ("_functions", "pointer")

    def __init__(self) -> None:
        self._functions = library()
        self.pointer = self._functions.TF_NewStatus()

    def check(self) -> None:
        """Raise OpError unless the last call succeeded.

        Texts may quote bytes of a request: those that are not UTF-8 are written in hexadecimal.
        """
        code = self._functions.TF_GetCode(self.pointer)
        if code:
            text = self._functions.TF_Message(self.pointer)
            raise OpError(code, text.decode("utf-8", "backslashreplace"))

    def __del__(self) -> None:
        if hasattr(self, "pointer"):  # not without the library
            self._functions.TF_DeleteStatus(self.pointer)


_local = threading.local()


def thread_status() -> Status:
    """Return the status of the calling thread, for calls one after the other."""
    try:
        status: Status = _local.status
    except AttributeError:
        status = _local.status = Status()
    return status
