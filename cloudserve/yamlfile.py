"""YAML with positions: a document's value, and the line each path stands on.

Safe loading only; a key given twice is refused, because YAML would silently keep the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ProjectError

if TYPE_CHECKING:
    import yaml

KeyPath = tuple[str, ...]
DEPTH = 4
"""The longest path that is looked at: what lies deeper is refused, or an alias of what does not."""


LOOK = "look at indentation, quotes and brackets there and in the line above"
WRITES_ONE = "`cloudserve init` writes one for the models it finds"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its value, and line numbers (from 1) by the path of keys."""

    path: Path
    value: Any
    lines: Mapping[KeyPath, int]

    def where(self, path: KeyPath) -> str:
        """Return `FILE:LINE: a.b.c` for the nearest path that the file holds."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        place = f"{self.path}:{line}"
        return f"{place}: {'.'.join(path)}" if path else place


def load_document(path: Path) -> Document:
    """Read a YAML file; raises ProjectError when it is missing, not UTF-8, or not YAML."""
    import yaml

    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
        lines: dict[KeyPath, int] = {}
        if node is not None:
            _collect_lines(node, (), lines, path)
        value = None if node is None else yaml.SafeLoader("").construct_document(node)
    except UnicodeDecodeError as error:
        raise ProjectError(
            "the project file is not UTF-8", where=str(path), hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ProjectError(
            f"the project file cannot be read: {error.strerror}",
            where=str(path),
            hint=_to_read(error),
        ) from error
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ProjectError(
            f"the project file is not YAML: {error}", where=str(path), hint=LOOK
        ) from error
    return Document(path, value, lines)


def _not_yaml(path: Path, error: yaml.YAMLError) -> ProjectError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or str(error)
    hint = "indent with spaces, not tabs" if r"'\t'" in problem else LOOK
    return ProjectError(f"the project file is not YAML: {problem}", where=place, hint=hint)


def _to_read(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return WRITES_ONE
        case IsADirectoryError():
            return "name the file in it"
        case _:
            return "look at who may read it, or name another with --project"


def _collect_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> None:
    import yaml

    if not isinstance(node, yaml.MappingNode) or len(path) == DEPTH:
        return
    for key, value in node.value:
        inner = (*path, str(key.value))
        line = key.start_mark.line + 1
        if inner in lines:
            raise ProjectError(
                f"the key `{key.value}` stands here twice",
                where=f"{file}:{line}: {'.'.join(inner)}",
                hint=f"the first one is in line {lines[inner]}",
            )
        lines[inner] = line
        _collect_lines(value, inner, lines, file)
