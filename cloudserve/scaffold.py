"""Write a first project file for the models found in a folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from string import Template

from cloudserve.errors import ConflictError, UserError
from cloudserve.project import DEFAULT_FILE, MODEL_NAME_LIMIT, Model

DEPTH = 3
FOREIGN = ("clouds.db", "pyvenv.cfg")
"""Files of folders that are not looked into: `cloudserve emulate --data`, virtual environments."""


TARGETS = ("vertex", "aws", "gcp")
"""The targets that there is a scaffold of."""
TARGETS_BY_DEFAULT = ("vertex", "aws")


def write_project(
    folder: Path, *, targets: Iterable[str] = TARGETS_BY_DEFAULT, force: bool = False
) -> tuple[Path, tuple[Model, ...]]:
    """Write `cloudserve.yaml` in a folder for the SavedModels in it; return its path and them.

    `targets` are of TARGETS. The file appears whole or not at all. Raises UserError when there is
    no SavedModel or the folder cannot be written, ConflictError when the file is there and `force`
    is not given.
    """
    models = find_models(folder)
    if not models:
        raise UserError(
            "there is no SavedModel here",
            where=str(folder.resolve()),
            hint="export one: model.export('models/NAME/1') in Keras",
        )
    path = folder / DEFAULT_FILE
    text = _render(folder, models, targets)
    draft = path.with_name(f".{DEFAULT_FILE}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        if force:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    except FileExistsError as error:
        raise ConflictError(
            f"{DEFAULT_FILE} is there already", where=str(path), hint="--force replaces it"
        ) from error
    except OSError as error:
        raise UserError(
            f"{DEFAULT_FILE} cannot be written: {error.strerror}",
            where=str(folder.resolve()),
            hint="name a folder that you may write to",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return path, models


def find_models(folder: Path) -> tuple[Model, ...]:
    """Find SavedModels at most three levels below a folder, NUMBER/ directories as one model."""
    found = _saved_models(folder, DEPTH)
    bases = {path if path == folder else _base(path) for path in found}
    taken: set[str] = set()
    models = []
    for base in sorted(bases):
        name = _free(_name(base), taken)
        models.append(Model(name, base))
    return tuple(models)


def _saved_models(folder: Path, depth: int) -> Iterator[Path]:
    from cloudserve.savedmodel import is_saved_model

    if is_saved_model(folder):
        yield folder
    elif depth:
        for entry in _folders(folder):
            yield from _saved_models(entry, depth - 1)


def _folders(folder: Path) -> list[Path]:
    from cloudserve.savedmodel.files import is_directory

    try:
        entries = sorted(folder.iterdir())
    except OSError:  # not there, or not ours to read: no model of ours lies in it
        return []
    return [entry for entry in entries if is_directory(entry) and not _is_foreign(entry)]


def _is_foreign(folder: Path) -> bool:
    from cloudserve.savedmodel.files import is_file

    return folder.name.startswith(".") or any(is_file(folder / name) for name in FOREIGN)


def _base(saved_model: Path) -> Path:
    return saved_model.parent if saved_model.resolve().name.isdecimal() else saved_model


def _name(base: Path) -> str:
    words = re.findall(r"[a-zA-Z0-9]+", base.resolve().name)
    name = "-".join(words)[:MODEL_NAME_LIMIT].rstrip("-")
    return name if name[:1].isalpha() else f"model-{name}".rstrip("-")


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free.lower() in taken:
        free = f"{name[: MODEL_NAME_LIMIT - 4].rstrip('-')}-{number}"
        number += 1
    taken.add(free.lower())
    return free


def _render(folder: Path, models: tuple[Model, ...], targets: Iterable[str]) -> str:
    paths = {m.name: _path(m.path, folder) for m in models}
    entries = "".join(
        f"  {_yaml(name)}:\n    path: {_yaml(path)}\n" for name, path in paths.items()
    )
    places = "\n".join(_template(f"target-{name}.yaml") for name in dict.fromkeys(targets))
    text = Template(_template(DEFAULT_FILE)).substitute(models=entries, targets=places)
    return f"{text.rstrip()}\n"


def _template(name: str) -> str:
    return (files("cloudserve.templates.project") / name).read_text("utf-8")


def _path(path: Path, folder: Path) -> str:
    text = path.relative_to(folder).as_posix()
    # A `~` at the beginning is somebody's home directory to the project file.
    return str(path.resolve()) if text.startswith("~") else text


def _yaml(text: str) -> str:
    """Return a text as YAML, in quotes where it would be read as something else."""
    import yaml

    if re.fullmatch(r"[\w./-]+", text) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)
    return quoted.strip()
