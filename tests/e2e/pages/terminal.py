"""A shell that types commands, and the servers that it keeps running beside them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

_SERVER = re.compile(r"(?:[A-Z_]+=\S+ +|\\\n *)*cloudserve (?:serve|model-server|emulate)\b")
_ENDS = re.compile(r" -- |--detach|emulate (?:stop|status)")
_READY = re.compile(r"^(?:serving .* on |The offline clouds are ready|Exporting HTTP/REST API at)")
_MARK = "-- the command has ended with"
PORTS = ("8501", "8500", "8080", "8900", "8901")
"""The ports of the pages; each page gets free ones instead."""


def free_ports() -> dict[str, str]:
    """Return a free port in place of each of the pages' ports."""
    sockets = [socket.socket() for _ in PORTS]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = {port: str(each.getsockname()[1]) for port, each in zip(PORTS, sockets, strict=True)}
    for each in sockets:
        each.close()
    return ports


def serves(command: str) -> bool:
    """Return whether a command is a server that runs until Ctrl-C."""
    return bool(_SERVER.match(command)) and not _ENDS.search(command)


class Terminal:
    """A bash in a folder, with a second window for a server."""

    def __init__(self, folder: Path, environment: dict[str, str], ports: dict[str, str]) -> None:
        self.folder = folder
        self.ports = ports
        self._environment = environment
        self._server: subprocess.Popen[str] | None = None
        reading, writing = os.pipe()
        # The script comes by another descriptor, so that a command cannot read it as its input.
        self._bash = subprocess.Popen(
            ["bash", f"/dev/fd/{reading}"],
            cwd=folder,
            env=environment | {"CLOUDSERVE_PORT": ports["8501"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(reading,),
            text=True,
        )
        os.close(reading)
        self._script = os.fdopen(writing, "w")

    def type(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed."""
        if serves(command):
            return self.serve(command)
        mark = f'code=$?; printf "\\n{_MARK} %s\\n" $code; (exit $code)'
        self._script.write(f"{command}\n{mark}\n")
        self._script.flush()
        printed = []
        assert self._bash.stdout
        for line in self._bash.stdout:
            if line.startswith(_MARK):
                return int(line.removeprefix(_MARK)), "".join(printed)
            printed.append(line)
        raise AssertionError(f"bash ended at: {command}\n{''.join(printed)}")

    def serve(self, command: str) -> tuple[int, str]:
        """Start a server in place of the last one; return 0 and what it printed until it answers.

        If it ends instead, return its exit code.
        """
        self.interrupt()
        if "model-server" in command and "--port=" not in command:
            command = re.sub(
                r"(model-server)", rf"\1 --port={self.ports['8500']}", command, count=1
            )
        self._server = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment | self._server_ports(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        printed = []
        assert self._server.stdout
        for line in self._server.stdout:
            printed.append(line)
            if _READY.match(line):
                return 0, "".join(printed)
        return self._server.wait(), "".join(printed)

    def interrupt(self) -> str:
        """End the server as Ctrl-C does; return what it printed since it was ready."""
        server, self._server = self._server, None
        if server is None:
            return ""
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
        printed, _ = server.communicate()
        assert server.returncode in (0, 130) or not printed, printed
        return printed

    def close(self) -> str:
        """End everything; return what the last server printed."""
        try:
            return self.interrupt()
        finally:
            self._script.close()
            self._bash.communicate()

    def _server_ports(self, command: str) -> dict[str, str]:
        ports = {
            "CLOUDSERVE_EMULATOR_PORT": self.ports["8900"],
            "CLOUDSERVE_GRPC_PORT": self.ports["8500"],
            "CLOUDSERVE_PORT": self.ports["8501"],
        }
        if "--as " not in command:
            return ports
        return {"SAGEMAKER_BIND_TO_PORT": self.ports["8080"]}
