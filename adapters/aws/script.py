"""A model's own `code/`: put where the inference container looks for it, and looked at before.

A SavedModel directory may hold `code/inference.py`, `code/requirements.txt` and `code/lib/`. The
container wants `code/` at the root of the model data, beside `MODEL/NUMBER/` (AWS Deep Learning
Containers, TensorFlow inference, "Pre/Post-Processing").
"""

from __future__ import annotations

import ast

from cloudserve.errors import ModelError
from cloudserve.release.provider import BlobStore, Notify
from cloudserve.storage.contract import PartStore

SCRIPT = "inference.py"
ONE, TWO = frozenset({"handler"}), frozenset({"input_handler", "output_handler"})


def place_code(blobs: BlobStore, source: str, destination: str, notify: Notify) -> None:
    """Copy what lies under one key prefix to another; nothing where there is no code.

    Copies what is missing or has another size, so that it goes on where it was cut off. Raises
    ModelError for an `inference.py` that the container could not use.
    """
    files = list(blobs.list(source))
    if not files:
        return
    _check(blobs, source, {blob.key.removeprefix(source) for blob in files})
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


def _check(blobs: BlobStore, source: str, names: set[str]) -> None:
    where = f"{blobs.url}/{source}{SCRIPT}"
    if SCRIPT not in names:
        if any(name == "requirements.txt" or name.startswith("lib/") for name in names):
            return
        raise ModelError(
            f"the model's code/ has no {SCRIPT}",
            where=where,
            hint=f"add code/{SCRIPT}, or take code/ out of the model's directory",
        )
    found = blobs.read(source + SCRIPT)
    check_script(found[0] if found else b"", where)


def check_script(text: bytes, where: str) -> None:
    """Raise ModelError for a script without the functions that the container calls."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ModelError(f"code/{SCRIPT} is not Python: {error}", where=where) from error
    names = {_name(node) for node in tree.body} | _imported(tree)
    if not (names >= ONE or names >= TWO):
        raise ModelError(
            f"code/{SCRIPT} has neither `handler` nor both `input_handler` and `output_handler`",
            where=where,
            hint="define handler(data, context), or input_handler(data, context) and "
            "output_handler(response, context)",
        )


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef) else ""


def _imported(tree: ast.Module) -> set[str]:
    """Return the names that are assigned or imported: they may be functions too."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    # What `from x import *` brings is known only when it runs.
    return set(ONE) if "*" in found else found
