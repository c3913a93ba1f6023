"""The shared library of TensorFlow's C API: found in the installed wheel, opened once."""

from __future__ import annotations

import ctypes
import hashlib
import os
import ssl
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from ctypes import c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloudserve.errors import MissingExtraError

from ..quiet import prepared

# TensorFlow's library has a copy of BoringSSL, whose functions have the names of OpenSSL's. Modules
# of Python that use them have to find OpenSSL's first: otherwise no TLS context can be made.
_USERS_OF_OPENSSL = (hashlib, ssl)
_FILES = {"darwin": ("libtensorflow_framework.2.dylib", "libtensorflow_cc.2.dylib")}
_LINUX = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")


class Output(ctypes.Structure):
    """`TF_Output`: an output of an operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


class Buffer(ctypes.Structure):
    """`TF_Buffer`: bytes, such as those of a message."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


_BUFFER = ctypes.POINTER(Buffer)

_Types = tuple[Any, tuple[Any, ...]]

_BRIEF: Mapping[str, _Types] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_AllocateTensor": (c_void_p, (c_int, c_void_p, c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorFromProto": (None, (_BUFFER, c_void_p, c_void_p)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_StringGetSize": (c_size_t, (c_void_p,)),
    "TF_StringGetDataPointer": (c_void_p, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_SetRequireShapeInferenceFns": (None, (c_void_p, c_bool)),
    "TF_NewImportGraphDefOptions": (c_void_p, ()),
    "TF_DeleteImportGraphDefOptions": (None, (c_void_p,)),
    "TF_ImportGraphDefOptionsAddInputMapping": (None, (c_void_p, c_char_p, c_int, Output)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_OperationNumOutputs": (c_int, (c_void_p,)),
    "TF_OperationOutputType": (c_int, (Output,)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_SetConfig": (None, (c_void_p, c_char_p, c_size_t, c_void_p)),
    "TF_DeviceListCount": (c_int, (c_void_p,)),
    "TF_DeviceListName": (c_char_p, (c_void_p, c_int, c_void_p)),
    "TF_DeleteDeviceList": (None, (c_void_p,)),
    "TF_DeleteBuffer": (None, (_BUFFER,)),
    "TF_Version": (c_char_p, ()),
}
"""Functions that return at once: result and arguments. They keep Python's lock, which to release
and take again costs more than the call."""

_LONG: Mapping[str, _Types] = {
    "TF_GraphImportGraphDef": (None, (c_void_p, _BUFFER, c_void_p, c_void_p)),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_NewSession": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "TF_SessionRun": (
        None,
        (
            # Arrays and buffers are given as they are: ctypes checks less of a plain pointer.
            *(c_void_p, c_void_p),
            *(c_void_p, c_void_p, c_int),
            *(c_void_p, c_void_p, c_int),
            *(c_void_p, c_int, c_void_p, c_void_p),
        ),
    ),
    "TF_CloseSession": (None, (c_void_p, c_void_p)),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_SessionListDevices": (c_void_p, (c_void_p, c_void_p)),
    "TF_LoadLibrary": (c_void_p, (c_char_p, c_void_p)),
    "TF_GetAllOpList": (_BUFFER, ()),
}
"""Functions that may take long: other threads of Python run concurrently."""

_one_at_a_time = threading.Lock()
_opened: list[Any] = []


def library() -> Any:
    """Return the functions of the C API by their names; the first call opens the library.

    Raises MissingExtraError where TensorFlow is not installed, or its wheel has no such library.
    """
    if _opened:
        return _opened[0]
    with _one_at_a_time:
        if not _opened:
            with prepared():
                _opened.append(_open(_folder()))
        return _opened[0]


def open_in_background() -> None:
    """Begin to open the library while the caller imports its modules.

    Python exits only after it is open, so that what is written to stderr in the meantime, and held
    back with TensorFlow's chatter, is not lost. A failure is left to the first call of `library`.
    """

    def work() -> None:
        with suppress(MissingExtraError):
            library()

    threading.Thread(target=work, name="open-tensorflow").start()


def _folder() -> Path:
    """Return the folder of the installed package, which is not imported."""
    spec = find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("serving a model", "server")
    return Path(spec.submodule_search_locations[0])


def _open(folder: Path) -> Any:
    framework, complete = _FILES.get(sys.platform, _LINUX)
    _link(folder / framework, ctypes.RTLD_GLOBAL)
    _link(folder / complete, ctypes.RTLD_LOCAL)
    try:
        # Libraries of custom ops that are not linked with the framework find its symbols so.
        ctypes.CDLL(str(folder / framework), ctypes.RTLD_GLOBAL)
        handles = (ctypes.PyDLL(str(folder / complete)), ctypes.CDLL(str(folder / complete)))
    except OSError as error:
        raise MissingExtraError("serving a model", "server") from error
    functions = SimpleNamespace()
    for handle, table in zip(handles, (_BRIEF, _LONG), strict=True):
        for name, (result, arguments) in table.items():
            function = getattr(handle, name)
            function.restype, function.argtypes = result, arguments
            setattr(functions, name, function)
    return functions


def _link(file: Path, mode: int) -> None:
    """Link a library, which takes long, without Python's lock: ctypes then only finds it.

    What fails here fails there again, with a text.
    """
    dlopen = getattr(ctypes.CDLL(None), "dlopen", None)
    if dlopen is not None:
        dlopen.restype, dlopen.argtypes = c_void_p, (c_char_p, c_int)
        dlopen(str(file).encode(), mode | os.RTLD_NOW)
