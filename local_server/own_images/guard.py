"""Runs a container's command; started as a script, it imports nothing of this project.

It stands between the emulator and the command: it puts the model's files where the image has them,
and kills the command with all that it started when the emulator is gone, however that ended. Its
arguments are a socket's descriptor and a JSON object; over the socket it tells what came of both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any


def main(descriptor: int, options: dict[str, Any]) -> None:
    """Run the command to its end, or to the end of the other side of the socket."""
    lifeline = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    # A handler of Python's own does not reach the command, as an ignored signal would.
    signal.signal(signal.SIGTERM, lambda *_: None)
    mount = options["mount"]
    is_mounted = _model_folder(options["mounting"]).mount(**mount) if mount else True
    environment = {**os.environ, **({} if is_mounted else options["unmounted"])}
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own command, asked for
            options["command"], stdin=subprocess.DEVNULL, cwd=options["folder"], env=environment
        )
    except (OSError, ValueError) as error:
        _send(lifeline, {"error": f"{type(error).__name__}: {error}"})
        return
    _send(lifeline, {"is_mounted": is_mounted})
    threading.Thread(target=_outlive_nobody, args=(lifeline,), daemon=True).start()
    _send(lifeline, {"code": child.wait()})
    _kill_all()


def _outlive_nobody(lifeline: socket.socket) -> None:
    while lifeline.recv(1):
        pass
    _kill_all()


def _kill_all() -> None:
    """Kill this process and everything of its group: what the command started and left."""
    os.killpg(0, signal.SIGKILL)


def _send(lifeline: socket.socket, news: dict[str, Any]) -> None:
    try:
        lifeline.sendall(json.dumps(news).encode() + b"\n")
    except OSError:  # the reader has ended
        _kill_all()


def _model_folder(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
