"""A model's own `code/`, looked at before anything is sent: a script is read, and never run.

A SavedModel directory may hold `code/inference.py`, `code/requirements.txt` and `code/lib/`. What
the container makes of them: AWS Deep Learning Containers, TensorFlow inference, "Custom
Pre/Post-Processing" and "Notes".
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from cloudserve.errors import ModelError, UserError
from cloudserve.plural import counted
from cloudserve.storage.contract import BlobStore, PartStore
from cloudserve.storage.events import Reporter

SCRIPT, LIB, REQUIREMENTS = "inference.py", "lib", "requirements.txt"
ALONE, PAIR = frozenset({"handler"}), frozenset({"input_handler", "output_handler"})
TAKEN = 2
"""The arguments that the container passes to each: the data or the response, and the context."""
TENSORFLOW = "tensorflow"
NAMES_IT = re.compile(rb"^\s*tensorflow(?![-_]serving)", re.MULTILINE | re.IGNORECASE)
MEND = f"correct code/{SCRIPT} and run the command again"
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
    script, about = folder / SCRIPT, _about_requirements(folder, many=many)
    if script.is_file():
        tree = check_script(_read(script), str(script))
        return (*about, *_about_both(tree), *_about_tensorflow(tree, folder, many=many))
    if not ((folder / LIB).is_dir() or (folder / REQUIREMENTS).is_file()):
        raise ModelError(
            f"the model's code/ has no {SCRIPT}",
            where=str(folder),
            hint=f"add code/{SCRIPT}, or take code/ out of the model's directory",
        )
    return about


def check_needs_no_network(model: Path, where: str) -> None:
    """Raise UserError if a container without a network cannot install the model's requirements."""
    folder = model / "code"
    if (folder / REQUIREMENTS).is_file() and not (folder / LIB).is_dir():
        raise UserError(
            f"code/{REQUIREMENTS} cannot be installed without a network",
            where=where,
            hint=f"put the modules into code/{LIB}, or leave `network_isolation` out",
        )


def _about_requirements(folder: Path, *, many: bool) -> tuple[str, ...]:
    if not (folder / REQUIREMENTS).is_file():
        return ()
    if (folder / LIB).is_dir():
        return (f"code/{REQUIREMENTS} is not installed: code/{LIB} goes before it",)
    if many:
        sentence = "is not installed on an endpoint of many models"
        return (f"code/{REQUIREMENTS} {sentence}: put modules into code/{LIB}",)
    sentence = "is installed by each instance as it starts, from where pip looks"
    return (f"code/{REQUIREMENTS} {sentence}: modules in code/{LIB} need no network",)


def _about_both(tree: ast.Module) -> tuple[str, ...]:
    # Its documentation calls it an error; its code takes `handler`.
    if dict(_defined(tree)).keys() >= ALONE | PAIR:
        return (f"code/{SCRIPT} has `handler` and the pair: the container calls `handler` alone",)
    return ()


def _about_tensorflow(tree: ast.Module, folder: Path, *, many: bool) -> tuple[str, ...]:
    """Tell of an import that works here and not there: the image has no Python TensorFlow."""
    if TENSORFLOW not in _packages(tree) or (folder / LIB / TENSORFLOW).is_dir():
        return ()
    requirements = folder / REQUIREMENTS
    if not many and requirements.is_file() and NAMES_IT.search(_read(requirements)):
        return ()
    sentence = f"code/{SCRIPT} imports {TENSORFLOW}, which AWS's image does not have"
    return (
        f"{sentence}: " + (f"put it into code/{LIB}" if many else f"name it in {REQUIREMENTS}"),
    )


def _packages(tree: ast.Module) -> set[str]:
    """Return the packages that a script imports, anywhere in it."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules


def check_script(text: bytes, where: str) -> ast.Module:
    """Return a script as it was read.

    Raises ModelError for one without the functions that the container calls.
    """
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
    return tree


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
            f"code/{SCRIPT} is not Python {python}: {error.msg}",
            where=f"{where}{line}",
            hint=MEND,
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"code/{SCRIPT} is not Python: {error}", where=where, hint=MEND) from error


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
    """Return whether a function takes so many arguments by position; of anything else, yes."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return True
    parameters = node.args
    most = len(parameters.posonlyargs) + len(parameters.args)
    required = any(default is None for default in parameters.kw_defaults)
    enough = count <= most or parameters.vararg is not None
    return most - len(parameters.defaults) <= count and enough and not required


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"code/{file.name} cannot be read: {error.strerror}",
            where=str(file),
            hint="check that you may read it",
        ) from error


def place_code(blobs: BlobStore, source: str, destination: str, reporter: Reporter) -> None:
    """Copy the objects under one key prefix to another, if the model has code.

    Copies files that are missing or have another size, so an interrupted copy is resumed.
    """
    files = list(blobs.list(source))
    if not files:
        return
    copied = {blob.key: blob.size for blob in blobs.list(destination)}
    for blob in files:
        key = destination + blob.key.removeprefix(source)
        if copied.get(key) == blob.size:
            continue
        if isinstance(blobs, PartStore):
            blobs.copy(blob, key, {})
            continue
        content = blobs.read(blob.key)
        if content is not None:
            blobs.write(key, content[0])
    reporter.line(f"uploaded {counted(len(files), 'file')} of code/ to {blobs.url}/{destination}")
