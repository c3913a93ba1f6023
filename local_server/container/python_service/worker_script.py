"""The process of the user's `inference.py`: a script that imports nothing of this project.

It answers requests over the socket whose descriptor is its argument: frames of a JSON head and a
body, each preceded by its length (`frames.py` is the other end). Output of the user's code goes to
standard error. Source of the handlers' contract: python_service.py and tfs_utils.py.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import socket
import struct
import sys
import traceback
from collections import namedtuple
from pathlib import Path
from types import ModuleType
from typing import Any

_LENGTHS = struct.Struct("!II")
_CONTEXT = (
    "model_name",
    "model_version",
    "method",
    "rest_uri",
    "grpc_port",
    "channel",
    "custom_attributes",
    "request_content_type",
    "accept_header",
    "content_length",
)


class UpstreamError(Exception):
    """TensorFlow Serving rejected the result of `input_handler` (2.20 answers with its status)."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Service:
    """The user's handlers, called as in the image."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Import the script; errors of the import propagate."""
        self._options = options
        folder = options["folder"]
        self.is_mounted = _import_sibling("model_folder").place(**folder) if folder else None
        fields = (*_CONTEXT, "timeout") if options["checks_status"] else _CONTEXT
        self._context = _context_type(fields)
        self._channel: Any = None
        self._handler = self._import()

    def _import(self) -> Any:
        module = _import_file("inference", self._options["script"])
        if hasattr(module, "handler"):
            return module.handler
        if hasattr(module, "input_handler") and hasattr(module, "output_handler"):
            return self._paired(module)
        raise NotImplementedError("Handlers are not implemented correctly in user script.")

    def _paired(self, module: ModuleType) -> Any:
        def handler(data: Any, context: Any) -> Any:
            response = _post(context.rest_uri, module.input_handler(data, context))
            self._check(response)
            return module.output_handler(response, context)

        return handler

    def _check(self, response: Any) -> None:
        if self._options["checks_status"] and response.status_code != 200:  # noqa: PLR2004 HTTP's OK
            raise UpstreamError(response.status_code, response.content)

    def answer(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Call the handler; its errors become answers."""
        try:
            answer, content_type = self._handler(io.BytesIO(body), self._make_context(head))
            return {"status": 200, "content_type": _text(content_type)}, _bytes(answer)
        except UpstreamError as error:
            return {"status": error.status, "refused": True}, error.body
        except Exception as error:  # noqa: BLE001 - any error of the user's code becomes an answer
            traceback.print_exc()
            return {"status": 500, "error": str(error)}, b""

    def _make_context(self, head: dict[str, Any]) -> Any:
        fields = {name: head.get(name) for name in self._context._fields}
        return self._context(**(fields | {"channel": self._open_channel(head)}))

    def _open_channel(self, head: dict[str, Any]) -> Any:
        if self._channel is None and head.get("with_channel"):
            try:
                import grpc
            except ImportError:
                return None
            self._channel = grpc.insecure_channel(f"localhost:{head['grpc_port']}")
        return self._channel


def _context_type(fields: tuple[str, ...]) -> Any:
    return namedtuple("Context", fields)  # noqa: PYI024 - as in the image


def _import_sibling(name: str) -> Any:
    return _import_file(name, str(Path(__file__).with_name(f"{name}.py")))


def _import_file(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _post(uri: str, data: Any) -> Any:
    import requests

    return requests.post(uri, data=data, timeout=60)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"the content type is a {type(value).__name__}, not a string")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"the body is a {type(value).__name__}, not a string or bytes")


def _read(stream: Any) -> tuple[dict[str, Any], bytes] | None:
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, body = _LENGTHS.unpack(lengths)
    return json.loads(stream.read(head)), stream.read(body)


def _write(stream: Any, head: dict[str, Any], body: bytes) -> None:
    text = json.dumps(head).encode()
    stream.write(_LENGTHS.pack(len(text), len(body)) + text + body)
    stream.flush()


def main(descriptor: int) -> None:
    """Answer requests until the peer closes the connection; the first frame holds the options."""
    # Output of the user's code must go to the log, and only frames to the socket.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        os.set_inheritable(descriptor, False)
        first = _read(stream)
        if first is None:
            return
        try:
            service = Service(first[0])
        except BaseException as error:  # noqa: BLE001 - an exit during the import is reported too
            traceback.print_exc()
            _write(stream, {"error": f"{type(error).__name__}: {error}"}, b"")
            return
        _write(stream, {"is_mounted": service.is_mounted}, b"")
        while (request := _read(stream)) is not None:
            _write(stream, *service.answer(*request))


if __name__ == "__main__":
    main(int(sys.argv[1]))
