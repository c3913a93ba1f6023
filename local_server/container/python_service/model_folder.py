"""The model tree at its path in the image, for the process of an `inference.py`.

`worker_script.py` loads this file before the user's code; it imports nothing of this project. If
the kernel lets this user create a mount namespace (Linux), the tree is mounted at the path, and
everything in the process sees it, including C libraries. Elsewhere (macOS, most containers,
Ubuntu's default since 23.10) Python's functions translate the path; a C library that opens a file
itself does not find it.
"""

from __future__ import annotations

import _io
import builtins
import contextlib
import ctypes
import io
import os
import posix
import sys
from collections.abc import Callable
from functools import wraps
from importlib import machinery
from pathlib import Path
from typing import Any

# linux/sched.h, linux/mount.h, linux/capability.h
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_CAPABILITY_VERSION = 0x20080522
_PATH_FUNCTIONS = (
    *("open", "stat", "lstat", "listdir", "scandir", "access", "readlink", "chdir"),
    *("mkdir", "rmdir", "remove", "unlink"),
)
_SUPPORTED = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks)


def place(tree: str, at: str, staging: str) -> bool:
    """Make `tree` appear at the path `at`; return False if paths are translated, not mounted.

    `staging` is an empty folder to mount at. The process must have a single thread.
    """
    if mount(tree, at, staging):
        return True
    translate(tree, at)
    return False


def mount(tree: str, at: str, staging: str) -> bool:
    """Mount `tree` at the path `at` for this process only; return whether that was possible."""
    try:
        _mount_privately(Path(tree), Path(at), Path(staging))
    except (OSError, AttributeError):  # not permitted, or not Linux
        return False
    return True


def _mount_privately(tree: Path, at: Path, staging: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    is_root = os.geteuid() == 0
    _enter(libc, is_root)
    _mount(libc, None, Path("/"), _RECURSIVE | _PRIVATE)
    if not at.is_dir():
        _create_mount_point(libc, at, staging)
    _mount(libc, tree, at, _BIND | _RECURSIVE)
    if not is_root:
        _drop_capabilities(libc)


def _enter(libc: Any, is_root: bool) -> None:
    """Enter a mount namespace; a user other than root also needs a user namespace."""
    if is_root:
        with contextlib.suppress(OSError):
            _check(libc.unshare(_NEW_MOUNTS))
            return
    user, group = os.geteuid(), os.getegid()
    _check(libc.unshare(_NEW_USER | _NEW_MOUNTS))
    process = Path("/proc/self")
    process.joinpath("setgroups").write_text("deny")
    process.joinpath("uid_map").write_text(f"{user} {user} 1")
    process.joinpath("gid_map").write_text(f"{group} {group} 1")


def _create_mount_point(libc: Any, at: Path, staging: Path) -> None:
    """Create a missing mount point; the entries beside it stay visible."""
    above = next(parent for parent in at.parents if parent.is_dir())
    if above == above.parent:
        raise FileNotFoundError(f"no folder above {at} can be mounted on")
    _mount(libc, "tmpfs", staging, 0, "tmpfs")
    for entry in above.iterdir():
        _bind_entry(libc, entry, staging / entry.name)
    staging.joinpath(at.relative_to(above)).mkdir(parents=True)
    _mount(libc, staging, above, _BIND | _RECURSIVE)


def _bind_entry(libc: Any, entry: Path, copy: Path) -> None:
    if entry.is_symlink():
        copy.symlink_to(entry.readlink())
        return
    if entry.is_dir():
        copy.mkdir()
    else:
        copy.touch()
    _mount(libc, entry, copy, _BIND | _RECURSIVE)


def _mount(libc: Any, source: Path | str | None, at: Path, flags: int, kind: str = "") -> None:
    encoded = None if source is None else os.fsencode(source)
    _check(libc.mount(encoded, os.fsencode(at), kind.encode(), ctypes.c_ulong(flags), None))


def _drop_capabilities(libc: Any) -> None:
    """Drop the namespace's capabilities: the user's code keeps only the user's permissions."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)()))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def translate(tree: str, at: str) -> None:
    """Make Python's functions look in `tree` for paths below `at`."""

    def translated(path: Any) -> Any:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
        if isinstance(text, str) and (text == at or text.startswith(f"{at}/")):
            return tree + text[len(at) :]
        return path

    for name in _PATH_FUNCTIONS:
        _replace(name, translated, os, posix)
    _replace("open", translated, builtins, io, _io)
    _replace("open_code", translated, io, _io)
    sys.path_hooks.insert(0, _importer(translated))
    sys.path_importer_cache.clear()


def _replace(name: str, translated: Callable[[Any], Any], *modules: Any) -> None:
    original = getattr(modules[0], name)

    @wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        first = map(translated, args[:1])
        paths = {key: translated(kwargs[key]) for key in ("path", "file") if key in kwargs}
        return original(*first, *args[1:], **(kwargs | paths))

    for module in modules:
        setattr(module, name, replacement)
    for supported in _SUPPORTED:
        if original in supported:
            supported.add(replacement)


def _importer(translated: Callable[[Any], Any]) -> Callable[[str], machinery.FileFinder]:
    loaders = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def finder(entry: str) -> machinery.FileFinder:
        if translated(entry) == entry:
            raise ImportError(f"{entry} is not translated")
        return machinery.FileFinder(translated(entry), *loaders)

    return finder
