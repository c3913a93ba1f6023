"""YAML documents with the line number of each key.

Loading is safe. A duplicate key is refused, because YAML would silently keep the last one.
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
DEPTH = 7
"""The longest path of keys to record, as `environments.prod.targets.aws.gates.golden.file`."""
SYNTAX_HINT = "check indentation, quotes and brackets in this line and the line above"
INIT_HINT = "`cloudserve init` writes one for the models it finds"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its value, and the line number (from 1) of each path of keys."""

    path: Path
    value: Any
    lines: Mapping[KeyPath, int]

    def where(self, path: KeyPath) -> str:
        """Return `FILE:LINE: a.b.c`, with the line of the nearest existing key."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        place = f"{self.path}:{line}"
        return f"{place}: {'.'.join(path)}" if path else place


def load_document(path: Path) -> Document:
    """Read a YAML file; raises ProjectError if it is missing, not UTF-8, or not YAML."""
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
            hint=_read_hint(error),
        ) from error
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ProjectError(
            f"the project file is not YAML: {error}", where=str(path), hint=SYNTAX_HINT
        ) from error
    return Document(path, value, lines)


def _not_yaml(path: Path, error: yaml.YAMLError) -> ProjectError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or str(error)
    hint = "indent with spaces, not tabs" if r"'\t'" in problem else SYNTAX_HINT
    return ProjectError(f"the project file is not YAML: {problem}", where=place, hint=hint)


def _read_hint(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return INIT_HINT
        case IsADirectoryError():
            return "name the file in this directory"
        case _:
            return "check its permissions, or name another file with --project"


def _collect_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> None:
    import yaml

    if not isinstance(node, yaml.MappingNode) or len(path) == DEPTH:
        return
    for key, value in node.value:
        inner = (*path, str(key.value))
        line = key.start_mark.line + 1
        if inner in lines:
            raise ProjectError(
                f"duplicate key `{key.value}`",
                where=f"{file}:{line}: {'.'.join(inner)}",
                hint=f"the first one is on line {lines[inner]}",
            )
        lines[inner] = line
        _collect_lines(value, inner, lines, file)
