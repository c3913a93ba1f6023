"""The prefix of a checkpoint's files: `model.ckpt-10` of `model.ckpt-10.index`."""

from __future__ import annotations

import re
from pathlib import Path

from cloudserve.savedmodel.files import is_directory, is_file, list_names

_FILE = re.compile(r"(.+)\.(?:index|meta|data-[0-9]{5}-of-[0-9]{5})")
_LATEST = re.compile(r'^model_checkpoint_path: "([^"\\]+)"$', re.MULTILINE)
_STATE = "checkpoint"
"""The file that names the latest checkpoint of a folder (CheckpointState in text form)."""


def find_checkpoint(path: Path) -> Path | None:
    """Return the prefix of the checkpoint at a path, None if there is none.

    `path` is the prefix, one of the files, or a folder: with the latest one that its file
    `checkpoint` names, or the only one.
    """
    if is_directory(path):
        return _in_folder(path)
    match = _FILE.fullmatch(path.name)
    prefixes = (path, path.with_name(match[1])) if match else (path,)
    return next((each for each in prefixes if _is_prefix(each)), None)


def _in_folder(folder: Path) -> Path | None:
    names = [name for name in list_names(folder) if name.endswith(".index")]
    prefixes = [folder / name.removesuffix(".index") for name in names]
    if is_file(folder / _STATE):
        text = (folder / _STATE).read_text("utf-8", "replace")
        if (match := _LATEST.search(text)) and folder / Path(match[1]).name in prefixes:
            return folder / Path(match[1]).name
    return prefixes[0] if len(prefixes) == 1 else None


def _is_prefix(path: Path) -> bool:
    return is_file(path.with_name(f"{path.name}.index"))
