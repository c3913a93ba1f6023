"""Write what a target moves to into the project file, its fields mapped by its adapter.

The project file is added to, never rewritten: its comments, order and quotes stay. The new text is
read back and compared before it takes the old file's place, in one rename.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudserve.errors import ConflictError, ProjectError, UserError
from cloudserve.migration import Migration
from cloudserve.project import TARGET_NAME, Field, Target, load_project

TARGETS = "targets"


@dataclass(frozen=True, slots=True)
class Written:
    """What `migrate` did: the new target's name and text, and whether the file has it now."""

    path: Path
    name: str
    text: str
    migration: Migration
    changed: bool


def migrate(path: Path, target: str, name: str | None = None, *, write: bool = True) -> Written:
    """Write what a target moves to into its project file, as a target of its own.

    `name` is the new target's, by default the old one's with `-PROVIDER`. Only what the file says
    counts, not the environment. Raises UserError where there is nothing to move to, ConflictError
    when the name is taken, ProjectError when the file has a form that cannot be added to; then
    nothing was written.
    """
    from cloudserve import registry

    project = load_project(path, environ={})
    old = project.target(target)
    migration = registry.migration(old)
    name = name or f"{target}-{migration.provider}"
    if not TARGET_NAME.fullmatch(name):
        raise UserError(f"`{name}` is not a target name", hint="letters, digits, single - or _")
    if name in project.targets:
        raise ConflictError(
            f"the project has a target `{name}` already",
            where=project.targets[name].where,
            hint="name the new one with --to",
        )
    before = _read(path)
    text = render(name, migration)
    after = insert(before, text, path)
    if write:
        _check(path, after, Target(name, migration.provider, migration.fields))
        _replace(path, after)
    return Written(path, name, text, migration, changed=write)


def render(name: str, migration: Migration) -> str:
    """Return a target as YAML, not indented."""
    import yaml

    body = {name: {"provider": migration.provider, **_plain(migration.fields)}}
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)
    return f"# {migration.reason}\n{text}"


def insert(before: str, target: str, path: Path) -> str:
    """Return a project file's text with a target's added at the end of its `targets`.

    Raises ProjectError for `targets` in flow style (`{…}`), which cannot be added to.
    """
    import yaml

    root = yaml.compose(before, Loader=yaml.SafeLoader)
    entries = list(root.value) if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in entries if key.value == TARGETS), None)
    if not isinstance(found, yaml.MappingNode) or found.flow_style or not found.value:
        line = found.start_mark.line + 1 if found is not None else 1
        raise ProjectError(
            "`targets` is not written with a line for each: nothing can be added to it",
            where=f"{path}:{line}: {TARGETS}",
            hint=f"write it so, or add this by hand:\n{target}",
        )
    lines = before.splitlines(keepends=True)
    at = _end(lines, [key.start_mark.line for key, _ in entries], found.start_mark.line)
    indent = " " * found.value[0][0].start_mark.column
    newline = "\r\n" if before.count("\r\n") else "\n"
    added = textwrap.indent(target, indent).replace("\n", newline)
    head = "".join(lines[:at])
    gap = newline if head.endswith(("\n", "\r")) else newline * 2
    return f"{head}{gap}{added}{''.join(lines[at:])}"


def _end(lines: list[str], keys: list[int], start: int) -> int:
    """Return the line that the targets end before.

    Comments at the margin and empty lines above the next key, or at the file's end, are not theirs.
    """
    at = min((line for line in keys if line > start), default=len(lines))
    while at > start + 1 and (not lines[at - 1].strip() or lines[at - 1].startswith("#")):
        at -= 1
    return at


def _check(path: Path, text: str, wanted: Target) -> None:
    """Raise ProjectError unless a text is the old project with exactly one more target."""
    draft = _draft(path)
    try:
        _write(draft, text, path)
        old, new = load_project(path, environ={}), load_project(draft, environ={})
    finally:
        _remove(draft)
    there = new.targets.get(wanted.name)
    same = all(
        (new.targets[name].provider, new.targets[name].fields) == (target.provider, target.fields)
        for name, target in old.targets.items()
    )
    added = there is not None and (there.provider, dict(there.fields)) == (
        wanted.provider,
        _plain(wanted.fields),
    )
    if not (same and added and len(new.targets) == len(old.targets) + 1):
        raise ProjectError(
            "the new target does not fit into the file", where=str(path), hint="add it by hand"
        )


def _plain(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items()
    }


def _replace(path: Path, text: str) -> None:
    draft = _draft(path)
    try:
        _write(draft, text, path)
        with suppress(OSError):  # a file system without modes
            draft.chmod(path.stat().st_mode)
        draft.replace(path.resolve())
    finally:
        _remove(draft)


def _remove(draft: Path) -> None:
    with suppress(OSError):  # a read-only file system refuses even what is not there
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f".{real.name}.{os.getpid()}")


def _read(path: Path) -> str:
    # `newline=""`: line ends stay what they are.
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _write(draft: Path, text: str, path: Path) -> None:
    try:
        draft.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be written: {error.strerror}",
            where=str(path),
            hint="look at who may write to its folder; --dry-run shows what to add by hand",
        ) from error
