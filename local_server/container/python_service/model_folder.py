"""Puts a model tree where the image has it, for the process of one `inference.py`.

`worker_script.py` loads this file before the user's code; it imports nothing of this project.
There are two ways. Where the kernel lets this user make a mount namespace (Linux), the tree is
mounted there, and everything in the process sees it, libraries in C as well. Elsewhere (macOS,
most containers, Ubuntu's default since 23.10) the functions of Python that take a path translate
it: what a C library opens by itself is not found then.
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
_TAKE_A_PATH = (
    *("open", "stat", "lstat", "listdir", "scandir", "access", "readlink", "chdir"),
    *("mkdir", "rmdir", "remove", "unlink"),
)
_SUPPORTED = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks)


def place(tree: str, at: str, staging: str) -> bool:
    """Make `tree` appear at the path `at`; say whether it was mounted, else paths are translated.

    `staging` is an empty folder to mount at. For a process of one thread.
    """
    if mount(tree, at, staging):
        return True
    translate(tree, at)
    return False


def mount(tree: str, at: str, staging: str) -> bool:
    """Mount `tree` at the path `at` for this process alone; say whether that is possible."""
    try:
        _mount_privately(Path(tree), Path(at), Path(staging))
    except (OSError, AttributeError):  # not allowed, or no Linux
        return False
    return True


def _mount_privately(tree: Path, at: Path, staging: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    is_root = os.geteuid() == 0
    _enter(libc, is_root)
    _mount(libc, None, Path("/"), _RECURSIVE | _PRIVATE)
    if not at.is_dir():
        _make_room(libc, at, staging)
    _mount(libc, tree, at, _BIND | _RECURSIVE)
    if not is_root:
        _drop_capabilities(libc)


def _enter(libc: Any, is_root: bool) -> None:
    """Enter a mount namespace; a user who is not root needs one of users around it."""
    if is_root:
        with contextlib.suppress(OSError):
            _check(libc.unshare(_NEW_MOUNTS))
            return
    user, group = os.geteuid(), os.getegid()
    _check(libc.unshare(_NEW_USER | _NEW_MOUNTS))
    own = Path("/proc/self")
    own.joinpath("setgroups").write_text("deny")
    own.joinpath("uid_map").write_text(f"{user} {user} 1")
    own.joinpath("gid_map").write_text(f"{group} {group} 1")


def _make_room(libc: Any, at: Path, staging: Path) -> None:
    """Make a mount point where there is no folder, with what stands beside it still in place."""
    above = next(parent for parent in at.parents if parent.is_dir())
    if above == above.parent:
        raise FileNotFoundError(f"no folder above {at} can be mounted on")
    _mount(libc, "tmpfs", staging, 0, "tmpfs")
    for entry in above.iterdir():
        _keep(libc, entry, staging / entry.name)
    staging.joinpath(at.relative_to(above)).mkdir(parents=True)
    _mount(libc, staging, above, _BIND | _RECURSIVE)


def _keep(libc: Any, entry: Path, copy: Path) -> None:
    if entry.is_symlink():
        copy.symlink_to(entry.readlink())
        return
    if entry.is_dir():
        copy.mkdir()
    else:
        copy.touch()
    _mount(libc, entry, copy, _BIND | _RECURSIVE)


def _mount(libc: Any, source: Path | str | None, at: Path, flags: int, kind: str = "") -> None:
    given = None if source is None else os.fsencode(source)
    _check(libc.mount(given, os.fsencode(at), kind.encode(), ctypes.c_ulong(flags), None))


def _drop_capabilities(libc: Any) -> None:
    """Give up what the namespace allows: the user's code has the rights that its user has."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)()))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def translate(tree: str, at: str) -> None:
    """Make Python's own functions look in `tree` for what lies below `at`."""

    def translated(path: Any) -> Any:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
        if isinstance(text, str) and (text == at or text.startswith(f"{at}/")):
            return tree + text[len(at) :]
        return path

    for name in _TAKE_A_PATH:
        _replace(name, translated, os, posix)
    _replace("open", translated, builtins, io, _io)
    _replace("open_code", translated, io, _io)
    sys.path_hooks.insert(0, _importer(translated))
    sys.path_importer_cache.clear()


def _replace(name: str, translated: Callable[[Any], Any], *modules: Any) -> None:
    original = getattr(modules[0], name)

    @wraps(original)
    def replacement(*given: Any, **named: Any) -> Any:
        first = map(translated, given[:1])
        paths = {key: translated(named[key]) for key in ("path", "file") if key in named}
        return original(*first, *given[1:], **(named | paths))

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
