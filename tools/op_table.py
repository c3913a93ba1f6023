"""Write `cloudserve/savedmodel/checks/op_table.txt`: the ops of each version of TensorFlow.

    python tools/op_table.py            # every version of VERSIONS, one wheel after another
    python tools/op_table.py 2.22       # one more version, merged into the table

Needs Linux on x86-64, pip and a C compiler. Wheels are downloaded with pip from its configured
index, one at a time, and deleted.

The names come from TensorFlow's own registry (`TF_GetAllOpList` of its C API), so that ops without
a Python function (`_Arg`, `_FusedConv2D`, `XlaCallModule`) are among them. The libraries are loaded
without their Python: data symbols that this Python no longer has, such as `_Py_CheckRecursionLimit`
of Python 3.7, are supplied by a small library that is compiled for it.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from cloudserve.savedmodel.checks.op_table import TABLE, OpTable, read_table, write_table

VERSIONS = {
    "1.15": ("37", "tensorflow-cpu"),
    "2.0": ("37", "tensorflow"),
    **{f"2.{minor}": ("37", "tensorflow-cpu") for minor in range(1, 9)},
    **{f"2.{minor}": ("310", "tensorflow-cpu") for minor in range(9, 22)},
}
"""The Python that a version has wheels for, and the package."""
_PLATFORMS = ("manylinux2010", "manylinux2014", "manylinux_2_17", "manylinux_2_27")
_FIRST = re.compile(r"libtensorflow_framework\.so\.\d+")
_LIBRARIES = ("libtensorflow_cc.so.2", "_pywrap_tensorflow_internal.so")
_MISSING = re.compile(r"undefined symbol: (\w+)")
_MOST_SYMBOLS = 30


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("free", ctypes.c_void_p),
    )


def dump_ops(folder: Path) -> None:
    """Write the `OpList` of the libraries in a folder to standard output; for a process apart."""
    library = None
    for path in sorted(folder.iterdir(), key=lambda path: not _FIRST.fullmatch(path.name)):
        library = ctypes.CDLL(str(path), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    assert library is not None
    library.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    buffer = library.TF_GetAllOpList().contents
    sys.stdout.buffer.write(ctypes.string_at(buffer.data, buffer.length))


def ops_of(version: str) -> frozenset[str]:
    """Return the ops of a version, by its newest patch release."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        libraries = _unpack(_download(version, folder), folder / "libraries")
        return _op_names(_dump(libraries, folder))


def _download(version: str, folder: Path) -> Path:
    python, package = VERSIONS.get(version, ("310", "tensorflow-cpu"))
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


def _dump(libraries: Path, folder: Path) -> bytes:
    symbols: list[str] = []
    while True:
        environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)}
        if symbols:
            environment["LD_PRELOAD"] = str(_compile(symbols, folder))
        command = [sys.executable, __file__, "--dump", str(libraries)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
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


def _op_names(op_list: bytes) -> frozenset[str]:
    from cloudserve.savedmodel import proto

    return frozenset(op.name for op in proto.parse(proto.OpList, op_list).op)


def main() -> None:
    """Read the versions that are named, or all, and write the table."""
    if sys.argv[1:2] == ["--dump"]:
        dump_ops(Path(sys.argv[2]))
        return
    named = sys.argv[1:]
    known = dict(read_table().versions) if named else {}
    for version in named or VERSIONS:
        known[version] = ops_of(version)
        sys.stderr.write(f"{version}: {len(known[version])} ops\n")
    TABLE.write_text(write_table(OpTable(known)), "utf-8")


if __name__ == "__main__":
    main()
