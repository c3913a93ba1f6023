"""A model's own `code/`: looked at before anything is sent, and put where the container looks.

A SavedModel directory may hold `code/inference.py`, `code/requirements.txt` and `code/lib/`. The
container wants `code/` at the root of the model data, beside `MODEL/NUMBER/` (AWS Deep Learning
Containers, TensorFlow inference, "Pre/Post-Processing"). A script is read as text, never run.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.release.provider import BlobStore, Notify
from cloudserve.storage.contract import PartStore

SCRIPT, LIB, REQUIREMENTS = "inference.py", "lib", "requirements.txt"
ALONE, PAIR = frozenset({"handler"}), frozenset({"input_handler", "output_handler"})
TAKEN = 2
"""What the container passes to each of them: the data or the response, and the context."""
Node = ast.stmt | ast.Name
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def check_code(model: Path, *, many: bool = False) -> tuple[str, ...]:
    """Return what to know of a SavedModel directory's `code/`, a sentence each.

    `many` is for a container that serves many models. Raises ModelError for a `code/` that the
    container could not use.
    """
    folder = model / "code"
    if not folder.is_dir():
        return ()
    script, has_lib = folder / SCRIPT, (folder / LIB).is_dir()
    has_requirements = (folder / REQUIREMENTS).is_file()
    if script.is_file():
        check_script(_read(script), str(script))
    elif not (has_lib or has_requirements):
        raise ModelError(
            f"the model's code/ has no {SCRIPT}",
            where=str(folder),
            hint=f"add code/{SCRIPT}, or take code/ out of the model's directory",
        )
    if not has_requirements:
        return ()
    if has_lib:
        return (f"code/{REQUIREMENTS} is not installed: code/{LIB} goes before it",)
    if many:
        told = "is not installed on an endpoint of many models"
        return (f"code/{REQUIREMENTS} {told}: put modules into code/{LIB}",)
    told = "is installed by each instance as it starts, from where pip looks"
    return (f"code/{REQUIREMENTS} {told}: modules in code/{LIB} need no network",)


def check_script(text: bytes, where: str) -> None:
    """Raise ModelError for a script without the functions that the container calls."""
    tree = _parse(text, where)
    defined = dict(_defined(tree))
    # What `from x import *` brings is known only when it runs.
    if not (defined.keys() >= ALONE or defined.keys() >= PAIR or "*" in defined):
        raise ModelError(
            f"code/{SCRIPT} has neither `handler` nor both `input_handler` and `output_handler`",
            where=where,
            hint="define handler(data, context), or input_handler(data, context) and "
            "output_handler(response, context)",
        )
    for name in sorted((ALONE if "handler" in defined else PAIR) & defined.keys()):
        _check_handler(name, defined[name], where)


def _check_handler(name: str, node: Node, where: str) -> None:
    is_async = isinstance(node, ast.AsyncFunctionDef)
    if not is_async and _takes(node, TAKEN):
        return
    first = "response" if name == "output_handler" else "data"
    raise ModelError(
        f"code/{SCRIPT}: the container calls `{name}` with {TAKEN} arguments, and this one "
        f"{'is async' if is_async else 'takes others'}",
        where=f"{where}:{node.lineno}",
        hint=f"write def {name}({first}, context)",
    )


def _parse(text: bytes, where: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an escape that Python does not know
            return ast.parse(text)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ModelError(
            f"code/{SCRIPT} is not Python {python}: {error.msg}", where=f"{where}{line}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"code/{SCRIPT} is not Python: {error}", where=where) from error


def _defined(node: ast.AST) -> Iterator[tuple[str, Node]]:
    """Yield the names that a module's own statements bind, in `if` and `try` too."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, child
            case ast.ClassDef(name=name):
                yield name, child
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name, child) for alias in child.names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, child
        if not isinstance(child, SCOPES):
            yield from _defined(child)


def _takes(node: Node, count: int) -> bool:
    """Say whether a function takes so many arguments by position; of anything else, yes."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return True
    given = node.args
    most = len(given.posonlyargs) + len(given.args)
    required = any(default is None for default in given.kw_defaults)
    enough = count <= most or given.vararg is not None
    return most - len(given.defaults) <= count and enough and not required


def _read(script: Path) -> bytes:
    try:
        return script.read_bytes()
    except OSError as error:
        raise ModelError(
            f"code/{SCRIPT} cannot be read: {error.strerror}", where=str(script)
        ) from error


def place_code(blobs: BlobStore, source: str, destination: str, notify: Notify) -> None:
    """Copy what lies under one key prefix to another; nothing where there is no code.

    Copies what is missing or has another size, so that it goes on where it was cut off.
    """
    files = list(blobs.list(source))
    if not files:
        return
    there = {blob.key: blob.size for blob in blobs.list(destination)}
    for blob in files:
        key = destination + blob.key.removeprefix(source)
        if there.get(key) == blob.size:
            continue
        if isinstance(blobs, PartStore):
            blobs.copy(blob, key, {})
            continue
        found = blobs.read(blob.key)
        if found is not None:
            blobs.write(key, found[0])
    notify(f"{len(files)} files of code/ are at {blobs.url}/{destination}")
