"""Write the tables of TensorFlow's ops and kernels in `cloudserve/savedmodel/checks`.

    python tools/op_table.py            # every version of VERSIONS, one wheel after another
    python tools/op_table.py 2.22       # one more version, merged into the tables

Needs Linux on x86-64, pip and a C compiler. Wheels are downloaded with pip from its configured
index, one at a time, and deleted: for each version the CPU's, for ops and kernels, and the GPU's,
for the kernels of ops that have none for the CPU.

Names come from TensorFlow's own registries (`TF_GetAllOpList` and `TF_GetAllRegisteredKernels` of
its C API), so that ops without a Python function (`_Arg`, `_FusedConv2D`, `XlaCallModule`) are
among them. The libraries are loaded without their Python: data symbols that this Python no longer
has, such as `_Py_CheckRecursionLimit` of Python 3.7, are supplied by a small library that is
compiled for it. GPU libraries need no GPU: they open CUDA's when it is first used.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudserve.savedmodel.checks.kernel_table import (
    ON_GPU,
    ON_GPU_TITLE,
    WITHOUT_KERNEL,
    WITHOUT_KERNEL_TITLE,
    read_kernel_table,
)
from cloudserve.savedmodel.checks.op_table import TABLE, OpTable, read_table, write_table

VERSIONS = {
    "1.15": ("37", "tensorflow-cpu"),
    "2.0": ("37", "tensorflow"),
    **{f"2.{minor}": ("37", "tensorflow-cpu") for minor in range(1, 9)},
    **{f"2.{minor}": ("310", "tensorflow-cpu") for minor in range(9, 22)},
}
"""The Python that a version has wheels for, and the package for the CPU."""
_GPU_PACKAGES = {"1.15": "tensorflow-gpu", "2.0": "tensorflow-gpu"}
"""Those that are not `tensorflow`."""
_ON_CPU = frozenset({"CPU", "DEFAULT"})
"""The devices of the kernels that run on the CPU; DEFAULT is any device."""
_OF_PYTHON = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})
"""Ops whose kernels are in Python's extension: no server without Python has them."""
_PLATFORMS = ("manylinux2010", "manylinux2014", "manylinux_2_17", "manylinux_2_27")
_FIRST = re.compile(r"libtensorflow_framework\.so\.\d+")
_LIBRARIES = ("libtensorflow_cc.so.2", "_pywrap_tensorflow_internal.so")
_MISSING = re.compile(r"undefined symbol: (\w+)")
_MOST_SYMBOLS = 30
_OPS, _KERNELS = "ops", "kernels"
_NEWEST = ("310", "tensorflow-cpu")


@dataclass(frozen=True, slots=True)
class Registries:
    """What the libraries of one wheel register."""

    ops: frozenset[str]
    kernels: frozenset[tuple[str, str]]
    """Op and device."""

    def with_kernel(self, devices: Container[str]) -> frozenset[str]:
        """Return the ops that have a kernel for one of these devices."""
        return frozenset(op for op, device in self.kernels if device in devices)


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("free", ctypes.c_void_p),
    )


def open_libraries(folder: Path) -> ctypes.CDLL:
    """Open the libraries of a wheel; return the last, which has the C API."""
    library = None
    for path in sorted(folder.iterdir(), key=lambda path: not _FIRST.fullmatch(path.name)):
        library = ctypes.CDLL(str(path), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    assert library is not None
    library.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    return library


def dump(folder: Path) -> None:
    """Write the registries of the libraries in a folder beside it; for a process apart."""
    library = open_libraries(folder)
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_GetAllRegisteredKernels.argtypes = [ctypes.c_void_p]
    library.TF_GetAllRegisteredKernels.restype = ctypes.POINTER(_Buffer)
    write_buffer(folder.parent / _OPS, library.TF_GetAllOpList())
    write_buffer(
        folder.parent / _KERNELS, library.TF_GetAllRegisteredKernels(library.TF_NewStatus())
    )


def write_buffer(path: Path, buffer: Any) -> None:
    """Write the bytes of a `TF_Buffer` to a file."""
    path.write_bytes(ctypes.string_at(buffer.contents.data, buffer.contents.length))


def registries_of(version: str, package: str) -> Registries:
    """Return the registries of a version's newest patch release, from the wheel of a package."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dump_wheel(version, package, folder, Path(__file__))
        return _read(folder)


def dump_wheel(version: str, package: str, folder: Path, script: Path) -> None:
    """Have a script read the libraries of a version's wheel, and write what it finds to a folder.

    The script gets `--dump` and the folder of the libraries.
    """
    libraries = _unpack(_download(version, package, folder), folder / "libraries")
    _dump(libraries, folder, script)


def _read(folder: Path) -> Registries:
    from cloudserve.savedmodel import proto

    ops = proto.parse(proto.OpList, (folder / _OPS).read_bytes()).op
    kernels = proto.parse(proto.KernelList, (folder / _KERNELS).read_bytes()).kernel
    pairs = ((kernel.op, kernel.device_type) for kernel in kernels)
    return Registries(
        frozenset(op.name for op in ops),
        frozenset(one for one in pairs if one[0] not in _OF_PYTHON),
    )


def _download(version: str, package: str, folder: Path) -> Path:
    python, _ = VERSIONS.get(version, _NEWEST)
    platforms = [f"--platform={platform}_x86_64" for platform in _PLATFORMS]
    command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={python}", *platforms]
    subprocess.run([*command, f"--dest={folder}", f"{package}=={version}.*"], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path, folder: Path) -> Path:
    """Take the libraries out of a wheel, side by side, and delete the wheel."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        found = {name.rpartition("/")[2]: name for name in archive.namelist()}
        # From 2.12 on the C API is in a library of its own; before, in Python's extension.
        last = next(name for name in _LIBRARIES if name in found)
        for name in (*filter(_FIRST.fullmatch, found), last):
            (folder / name).write_bytes(archive.read(found[name]))
    wheel.unlink()
    return folder


def _dump(libraries: Path, folder: Path, script: Path) -> None:
    symbols: list[str] = []
    while True:
        environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)}
        if symbols:
            environment["LD_PRELOAD"] = str(_compile(symbols, folder))
        command = [sys.executable, str(script), "--dump", str(libraries)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return
        missing = _MISSING.search(done.stderr.decode("utf-8", "replace"))
        if missing is None or missing[1] in symbols or len(symbols) > _MOST_SYMBOLS:
            raise RuntimeError(done.stderr.decode("utf-8", "replace"))
        symbols.append(missing[1])


def _compile(symbols: list[str], folder: Path) -> Path:
    source, library = folder / "symbols.c", folder / "symbols.so"
    source.write_text("".join(f"long {symbol}[512];\n" for symbol in symbols))
    command = ["cc", "-w", "-shared", "-fPIC", "-fno-builtin", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return library


@dataclass(slots=True)
class Tables:
    """The tables by version, while they are made."""

    ops: dict[str, frozenset[str]]
    without: dict[str, frozenset[str]]
    on_gpu: dict[str, frozenset[str]]

    def add(self, version: str) -> str:
        """Read a version's wheels; return what was found, for people."""
        _, package = VERSIONS.get(version, _NEWEST)
        cpu = registries_of(version, package)
        gpu = registries_of(version, _GPU_PACKAGES.get(version, "tensorflow"))
        without = cpu.ops - cpu.with_kernel(_ON_CPU)
        self.ops[version], self.without[version] = cpu.ops, without
        self.on_gpu[version] = without & gpu.with_kernel({"GPU"})
        return f"{len(cpu.ops)} ops, {len(without)} without a kernel for the CPU"

    def write(self) -> None:
        """Write the files of the package."""
        TABLE.write_text(write_table(OpTable(self.ops)), "utf-8")
        without = write_table(OpTable(self.without), WITHOUT_KERNEL_TITLE)
        WITHOUT_KERNEL.write_text(without, "utf-8")
        ON_GPU.write_text(write_table(OpTable(self.on_gpu), ON_GPU_TITLE), "utf-8")


def _known() -> Tables:
    kernels = read_kernel_table()
    return Tables(
        dict(read_table().versions),
        dict(kernels.without.versions),
        dict(kernels.on_gpu.versions),
    )


def main() -> None:
    """Read the versions that are named, or all, and write the tables."""
    if sys.argv[1:2] == ["--dump"]:
        dump(Path(sys.argv[2]))
        return
    named = sys.argv[1:]
    tables = _known() if named else Tables({}, {}, {})
    for version in named or VERSIONS:
        sys.stderr.write(f"{version}: {tables.add(version)}\n")
    tables.write()


if __name__ == "__main__":
    main()
