"""This project's server in a child process, for the duration of a measurement.

The child is in a session of its own, so that Ctrl-C reaches only the parent, which stops it. A pipe
ends the child if the parent is killed.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import CloudserveError, ModelError, UserError

_READY = re.compile(r"serving .* on (?P<rest>https?://\S+?)(?:, gRPC on (?P<grpc>\S+))?$")
_EXPORTING = re.compile(r"Exporting HTTP/REST API at:(?P<rest>\S+) \.\.\.$")
_KEPT_LINES = 20
_STOP_SECONDS = 15.0
_ERRORS: dict[int, type[CloudserveError]] = {2: UserError, 3: ModelError}
NAME = "model"

# Waits for the end of the pipe on standard input, then stops the server; runs before the command
# line, in the same process.
_FOLLOW_PARENT = """
import os, signal, threading
def follow():
    while os.read(0, 1): pass
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=follow, daemon=True).start()
from cloudserve.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class ChildServer:
    """A running server: its process, and the URLs of its model."""

    process: subprocess.Popen[str]
    rest: str
    grpc: str

    @property
    def ending(self) -> str | None:
        """Return how the process ended; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return f"the server was killed by {signal.Signals(-code).name}"
        return f"the server ended with exit code {code}"


@contextmanager
def child_server(path: Path, options: Sequence[str] = ()) -> Iterator[ChildServer]:
    """Run `cloudserve serve PATH` with these options on free loopback ports, and stop it after.

    Raises the server's own error if it does not start.
    """
    ports = ("--host", "127.0.0.1", "--port", "0", "--grpc-port", "0")
    command = ["serve", str(path), "--name", NAME, *ports, *options]
    with _running(command) as process:
        ready = _wait_until_ready(process, _READY, path)
        scheme = "grpcs" if ready["rest"].startswith("https") else "grpc"
        grpc = f"{scheme}://{ready['grpc']}/{NAME}" if ready["grpc"] else ""
        yield ChildServer(process, f"{ready['rest']}/v1/models/{NAME}", grpc)


@contextmanager
def flagged_child(base: Path, flags: Sequence[str] = ()) -> Iterator[ChildServer]:
    """Run `cloudserve model-server` with these flags of tensorflow_model_server on a base path.

    Raises ModelError with the server's last line if it does not start.
    """
    rest, grpc = _free_ports(2)
    ports = (f"--rest_api_port={rest}", f"--port={grpc}", "--listen_address=127.0.0.1")
    model = (f"--model_name={NAME}", f"--model_base_path={base}", "--max_num_load_retries=0")
    with _running(["model-server", *ports, *model, *flags]) as process:
        _wait_until_ready(process, _EXPORTING, base)
        yield ChildServer(
            process,
            f"http://127.0.0.1:{rest}/v1/models/{NAME}",
            f"grpc://127.0.0.1:{grpc}/{NAME}",
        )


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago: for the flags, 0 means none."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - this project's own command
        [sys.executable, "-c", _FOLLOW_PARENT, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process)


def _wait_until_ready(
    process: subprocess.Popen[str], ready: re.Pattern[str], path: Path
) -> re.Match[str]:
    assert process.stderr is not None
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    for line in process.stderr:
        kept.append(line.rstrip("\n"))
        if match := ready.fullmatch(kept[-1]):
            # A full pipe would block the server.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return match
    raise _start_error(process.wait(), kept, path)


def _start_error(code: int, lines: deque[str], path: Path) -> CloudserveError:
    """Return the error that the server printed in three lines, or its last line."""
    said = {word: text for line in lines for word, colon, text in [line.partition(": ")] if colon}
    kind = _ERRORS.get(code, ModelError)
    last = lines[-1] if lines else "it printed nothing"
    message = said.get("error", f"the server ended with exit code {code}: {last}")
    return kind(message, where=said.get("  where", str(path)), hint=said.get("  to do"))


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stderr):
        if stream:
            stream.close()
