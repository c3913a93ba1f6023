"""Checks of this machine: Python, packages, processor, memory, disk, ports."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from tempfile import gettempdir

from cloudserve._version import __version__
from cloudserve.doctor.result import Result, Status
from cloudserve.plural import counted

EXTRAS = {
    "server": "`serve`, `emulate`, `run` and gates that run the model",
    "client": "`predict` and `cloudserve.Client`",
    "aws": "targets of `sagemaker`",
    "gcp": "targets of `vertex` and `ai-platform`",
}
"""The extras, and what needs them."""
PORTS = {8500: "gRPC of `serve`", 8501: "REST of `serve`", 8900: "`emulate`"}
_GIB = 2**30
_LEAST_MEMORY, _LEAST_DISK = 2 * _GIB, 2 * _GIB
_WANTED = ("avx2", "fma")
"""Instructions that TensorFlow's kernels use, as /proc/cpuinfo names them."""


def check_machine() -> Iterator[Result]:
    """Yield the results; nothing is imported but the names and versions of packages."""
    python = f"Python {platform.python_version()}, cloudserve {__version__}"
    yield Result("python", Status.OK, python)
    yield from (_extra(name, use) for name, use in EXTRAS.items())
    yield from _processor(Path("/proc/cpuinfo"))
    yield _memory()
    yield from _disks()
    yield from (_port(port, use) for port, use in PORTS.items())


def _extra(name: str, use: str) -> Result:
    missing, odd = [], []
    for requirement in _requirements(name):
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            missing.append(requirement.name)
            continue
        if not requirement.takes(found):
            odd.append(f"{requirement.name} {found} is not {requirement.bounds}")
    identity = f"extra {name}"
    if missing:
        text = f"{counted(len(missing), 'package')} missing: {', '.join(missing)}"
        hint = f"pip install 'cloudserve[{name}]', if you need {use}"
        return Result(identity, Status.WARNING, text, f"not available: {use}", hint)
    if odd:
        hint = f"pip install 'cloudserve[{name}]'"
        return Result(identity, Status.WARNING, "; ".join(odd), "it was not tested with that", hint)
    return Result(identity, Status.OK, f"installed, for {use}")


class Requirement:
    """A line of the package's metadata: `tensorflow<2.22,>=2.18.1; extra == "server"`."""

    def __init__(self, text: str) -> None:
        words, _, self.marker = text.partition(";")
        for index, character in enumerate(words):
            if character in "<>=!~ ":
                self.name, self.bounds = words[:index], words[index:].strip()
                return
        self.name, self.bounds = words.strip(), ""

    def takes(self, found: str) -> bool:
        """Return whether a version is within the bounds, which are `>=` and `<` of numbers."""
        for bound in filter(None, self.bounds.split(",")):
            limit = _numbers(bound.lstrip("<>=!~ "))
            if bound.startswith(">=") and _numbers(found) < limit:
                return False
            if bound.startswith("<") and not _numbers(found) < limit:
                return False
        return True


def _numbers(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    while numbers and not numbers[-1]:  # 1.5 is 1.5.0
        numbers.pop()
    return tuple(numbers)


def _requirements(extra: str) -> list[Requirement]:
    lines = map(Requirement, requires("cloudserve") or ())
    return [one for one in lines if f'extra == "{extra}"' in one.marker.replace("'", '"')]


def _processor(info: Path) -> Iterator[Result]:
    cores = os.cpu_count() or 1
    try:
        flags = next(
            line.split(":", 1)[1].split()
            for line in info.read_text("utf-8").splitlines()
            if line.startswith("flags")
        )
    except (OSError, StopIteration):  # another system, or another processor
        yield Result("processor", Status.OK, f"{counted(cores, 'core')}, {platform.machine()}")
        return
    missing = [name for name in _WANTED if name not in flags]
    text = f"{counted(cores, 'core')}, {platform.machine()}"
    if missing:
        lacking = f"{text}, without {' and '.join(missing)}"
        yield Result("processor", Status.WARNING, lacking, "TensorFlow runs many times slower")
    else:
        yield Result("processor", Status.OK, f"{text}, with {' and '.join(_WANTED)}")


def _memory() -> Result:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    text = f"{total / _GIB:.1f} GiB"
    if total < _LEAST_MEMORY:
        why = "a server needs 0.4 GiB and the model's size for each version"
        return Result("memory", Status.WARNING, f"{text}{_free_memory()}", why)
    return Result("memory", Status.OK, text)


def _free_memory() -> str:
    name = "SC_AVPHYS_PAGES"
    if name not in os.sysconf_names:  # macOS
        return ""
    return f", {os.sysconf(name) * os.sysconf('SC_PAGE_SIZE') / _GIB:.1f} free"


def _disks() -> Iterator[Result]:
    for id_, folder in (
        ("disk", Path.cwd()),
        ("temporary disk", Path(gettempdir())),
    ):
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            yield Result(id_, Status.FAILED, f"{folder}: {error.strerror}", hint="set TMPDIR")
            continue
        text = f"{free / _GIB:.1f} GiB free at {folder}"
        if free < _LEAST_DISK:
            why = "offline clouds and pulled models are copied there"
            yield Result(id_, Status.WARNING, text, why, "free some space")
        else:
            yield Result(id_, Status.OK, text)


def _port(port: int, use: str) -> Result:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            text = f"{port} ({use}) is not free: {error.strerror}"
            why = "a server that is started there by default will fail"
            hint = "choose another one by --port, or stop the server that has it"
            return Result(f"port {port}", Status.WARNING, text, why, hint)
    return Result(f"port {port}", Status.OK, f"free, for {use}")
