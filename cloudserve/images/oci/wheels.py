"""Packages as files of a layer: wheels that pip downloads, unpacked without running them.

Source: the binary distribution format ("Installing a wheel", "The .data directory") and the entry
points specification of the Python packaging user guide.
"""

from __future__ import annotations

import configparser
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cloudserve.errors import RemoteError, UserError
from cloudserve.images.oci.layers import Entry

SITE = "opt/cloudserve/lib"
"""The directory of the packages in the image."""
SCRIPTS = "opt/cloudserve/bin"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64")
_OLDER = ("manylinux2014_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64")
_SCRIPT = """\
#!/usr/bin/env python3
import sys

from {module} import {name}

sys.exit({call}())
"""
_ENTRY_POINTS = re.compile(r"[^/]+\.dist-info/entry_points\.txt")
_DATA = re.compile(r"[^/]+\.data/(purelib|platlib|scripts|data|headers)/(.+)")


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a wheel."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.info.file_size

    def open(self) -> IO[bytes]:
        """Open the file; the archive must still be open."""
        return self.archive.open(self.info)


@dataclass(frozen=True, slots=True)
class InMemory:
    """A file of known content."""

    data: bytes

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return len(self.data)

    def open(self) -> IO[bytes]:
        """Open the content."""
        return io.BytesIO(self.data)


def download_wheels(requirements: str, python: str, folder: Path) -> list[Path]:
    """Download locked wheels for Linux on x86-64 into a folder, their hashes verified by pip.

    `python` is a version such as `3.12`. Raises UserError without pip, RemoteError if pip fails.
    """
    (folder / "requirements.txt").write_text(requirements, "utf-8")
    tag = python.replace(".", "")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", "--disable-pip-version-check", "--no-input"),
        *("--python-version", python, "--implementation", "cp"),
        *(word for abi in (f"cp{tag}", "abi3", "none") for word in ("--abi", abi)),
        *(word for platform in (*PLATFORMS, *_OLDER) for word in ("--platform", platform)),
        *("--dest", str(folder), "--requirement", str(folder / "requirements.txt")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip
    if done.returncode:
        raise _pip_failed(done.stderr)
    return sorted(folder.glob("*.whl"))


def _pip_failed(stderr: str) -> UserError | RemoteError:
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if "No module named pip" in stderr:
        return UserError("pip is not installed", where=sys.executable, hint="python -m ensurepip")
    return RemoteError(
        f"pip cannot download the packages: {(errors or lines or ['no reason given'])[0]}",
        hint="check the package index that pip uses (`pip config list`)",
    )


def open_wheel(wheel: Path) -> zipfile.ZipFile:
    """Open a wheel, which the caller closes; raises UserError if it is not one."""
    try:
        return zipfile.ZipFile(wheel)
    except zipfile.BadZipFile as error:
        raise UserError(
            "the file is not a wheel", where=str(wheel), hint="download the wheel again"
        ) from error


def wheel_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    """Yield the files of an open wheel at their places in the image.

    Raises UserError if the wheel names a file outside of its directories.
    """
    for member in archive.infolist():
        if member.is_dir():
            continue
        if ".." in member.filename.split("/") or member.filename.startswith("/"):
            raise UserError(
                f"the wheel has a file outside of it: {member.filename}",
                where=str(archive.filename),
                hint="do not install this wheel: its files would be written elsewhere",
            )
        yield from _entries(archive, member)


def _entries(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[Entry]:
    place = _place(member.filename)
    if place.startswith(f"{SCRIPTS}/"):
        yield Entry(place, InMemory(_with_python(archive.read(member))), executable=True)
    elif place:
        executable = bool(member.external_attr >> 16 & 0o111)
        yield Entry(place, Member(archive, member), executable)
    if _ENTRY_POINTS.fullmatch(member.filename):
        yield from _scripts(archive.read(member).decode())


def _place(name: str) -> str:
    match = _DATA.fullmatch(name)
    if match is None or match[1] in {"purelib", "platlib"}:
        return f"{SITE}/{match[2] if match else name}"
    return {"scripts": f"{SCRIPTS}/{match[2]}", "data": f"opt/cloudserve/{match[2]}"}.get(
        match[1], ""
    )


def _with_python(script: bytes) -> bytes:
    first, newline, rest = script.partition(b"\n")
    return b"#!/usr/bin/env python3" + newline + rest if first.startswith(b"#!python") else script


def _scripts(text: str) -> Iterator[Entry]:
    points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    points.optionxform = str  # type: ignore[assignment, method-assign] # names keep their case
    points.read_string(text)
    for command, place in points["console_scripts"].items() if "console_scripts" in points else ():
        module, _, function = place.partition("[")[0].strip().partition(":")
        name = function.partition(".")[0]
        text = _SCRIPT.format(module=module, name=name, call=function)
        yield Entry(f"{SCRIPTS}/{command}", InMemory(text.encode()), executable=True)
