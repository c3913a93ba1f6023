"""`cloudserve init`: writes a project file for the SavedModels in a folder."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from string import Template

from cloudserve.errors import UserError
from cloudserve.project import DEFAULT_FILE, MODEL_NAME_LIMIT, PROJECT_NAME_LIMIT, Model

from .new_file import write_new

DEPTH = 3
SKIPPED_FOLDERS = ("clouds.db", "pyvenv.cfg")
"""Files that mark folders to skip: `cloudserve emulate --data`, virtual environments."""
TARGETS = ("vertex", "aws", "gcp")
"""The targets that have a template."""
TARGETS_BY_DEFAULT = ("vertex", "aws")


def write_project(
    folder: Path, *, targets: Iterable[str] = TARGETS_BY_DEFAULT, force: bool = False
) -> tuple[Path, tuple[Model, ...]]:
    """Write `cloudserve.yaml` for the SavedModels in a folder; return its path and the models.

    `targets` are names in TARGETS. The file is written atomically. Raises UserError if there is no
    SavedModel or the folder cannot be written, ConflictError if the file exists and `force` is not
    set.
    """
    models = find_models(folder)
    if not models:
        raise UserError(
            "there is no SavedModel in this folder",
            where=str(folder.resolve()),
            hint="export one, in Keras with model.export('models/NAME/1')",
        )
    path = folder / DEFAULT_FILE
    text = _render(folder, models, targets)
    write_new(path, text, force=force)
    return path, models


def find_models(folder: Path) -> tuple[Model, ...]:
    """Find the models at most three levels below a folder; NUMBER/ directories are one model."""
    saved_models = _saved_models(folder, DEPTH)
    bases = {path if path == folder else _base(path) for path in saved_models}
    taken: set[str] = set()
    models = []
    for base in sorted(bases):
        name = _unique(_name(base), taken)
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
    except OSError:  # an unreadable folder holds no model that could be deployed
        return []
    return [entry for entry in entries if is_directory(entry) and not _is_skipped(entry)]


def _is_skipped(folder: Path) -> bool:
    from cloudserve.savedmodel.files import is_file

    return folder.name.startswith(".") or any(is_file(folder / name) for name in SKIPPED_FOLDERS)


def _base(saved_model: Path) -> Path:
    return saved_model.parent if saved_model.resolve().name.isdecimal() else saved_model


def _name(base: Path) -> str:
    words = re.findall(r"[a-zA-Z0-9]+", _in_ascii(base.resolve().name))
    name = "-".join(words)[:MODEL_NAME_LIMIT].rstrip("-")
    return name if name[:1].isalpha() else f"model-{name}".rstrip("-")


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 2, name
    while unique.lower() in taken:
        unique = f"{name[: MODEL_NAME_LIMIT - 4].rstrip('-')}-{number}"
        number += 1
    taken.add(unique.lower())
    return unique


def _in_ascii(name: str) -> str:
    """Return a name with plain letters in place of accented ones; other characters are dropped."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def project_name(folder: Path) -> str:
    """Return a project name made from a folder's name; "" if the folder's name has no letter."""
    words = "-".join(re.findall(r"[a-z0-9]+", _in_ascii(folder.resolve().name).lower()))
    return words.lstrip("0123456789-")[:PROJECT_NAME_LIMIT].rstrip("-")


def _render(folder: Path, models: tuple[Model, ...], targets: Iterable[str]) -> str:
    paths = {m.name: _path(m.path, folder) for m in models}
    entries = "".join(
        f"  {_yaml(name)}:\n    path: {_yaml(path)}\n" for name, path in paths.items()
    )
    blocks = "\n".join(_template(f"target-{name}.yaml") for name in dict.fromkeys(targets))
    name = project_name(folder)
    line = f"name: {_yaml(name)}" if name else "# name: my-project"
    text = Template(_template(DEFAULT_FILE)).substitute(name=line, models=entries, targets=blocks)
    return f"{text.rstrip()}\n"


def _template(name: str) -> str:
    return (files("cloudserve.templates.project") / name).read_text("utf-8")


def _path(path: Path, folder: Path) -> str:
    text = path.relative_to(folder).as_posix()
    # The project file expands a leading `~` to a home directory.
    return str(path.resolve()) if text.startswith("~") else text


def _yaml(text: str) -> str:
    """Return a text as YAML, quoted if YAML would read it as another type."""
    import yaml

    if re.fullmatch(r"[\w./-]+", text) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)
    return quoted.strip()
