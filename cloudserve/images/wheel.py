"""The installed package as a wheel, made from its files on disk.

Source of the format: the binary distribution format of the Python packaging user guide ("Wheel
files", "The .dist-info directory").
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from cloudserve._version import __version__
from cloudserve.errors import UserError

NAME = "cloudserve"
PACKAGES = (NAME, *(f"{NAME}.{part}" for part in ("adapters", "local_server", "templates")))
"""The packages with a folder of their own in a checkout; installed, the first has the others."""
METADATA = {"METADATA": "PKG-INFO", "entry_points.txt": "", "top_level.txt": ""}
"""Files of the .dist-info directory, and their names in a checkout's .egg-info if they differ."""
_WHEEL = b"Wheel-Version: 1.0\nGenerator: cloudserve\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can name."""
_HINT = "install cloudserve with pip, from an index, a wheel or a checkout"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's file name and content."""

    name: str
    data: bytes


def installed_wheel() -> Wheel:
    """Return a wheel of the installed cloudserve, also of an editable checkout.

    The same files give the same bytes. Raises UserError if the package or its metadata cannot be
    read from disk.
    """
    installed = _installed()
    info = f"{NAME}-{__version__}.dist-info"
    members = _sources() | {f"{info}/WHEEL": _WHEEL}
    for name, other in METADATA.items():
        text = installed.read_text(name) or (installed.read_text(other) if other else None)
        if text is None:
            raise UserError(f"the installed cloudserve has no {name}", hint=_HINT)
        members[f"{info}/{name}"] = text.encode()
    name = f"{NAME}-{__version__}-py3-none-any.whl"
    return Wheel(name, _archive(tuple(sorted(members.items())), f"{info}/RECORD"))


def _installed() -> Distribution:
    try:
        installed = distribution(NAME)
    except PackageNotFoundError as error:
        raise UserError("cloudserve is not installed as a package", hint=_HINT) from error
    if installed.version != __version__:
        raise UserError(
            f"the installed metadata is of version {installed.version}, the files of {__version__}",
            hint=_HINT,
        )
    return installed


def _sources() -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for package in PACKAGES:
        folder = _folder(package)
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and not any(_is_cache(part) for part in inner.parts):
                members["/".join((*package.split("."), *inner.parts))] = path.read_bytes()
    return members


def _folder(package: str) -> Path:
    spec = find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        if Path(place).is_dir():
            return Path(place)
    raise UserError(f"the files of {package} cannot be read from disk", hint=_HINT)


def _is_cache(name: str) -> bool:
    return name == "__pycache__" or name.startswith(".") or name.endswith((".pyc", ".pyo"))


@lru_cache(maxsize=1)
def _archive(members: tuple[tuple[str, bytes], ...], record: str) -> bytes:
    """Return the zip file; the same files, as of several images in a row, are packed once."""
    rows = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in members]
    files = dict(members) | {record: "\n".join([*rows, f"{record},,\n"]).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda name: (".dist-info/" in name, name)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
