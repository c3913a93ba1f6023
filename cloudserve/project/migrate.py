"""`cloudserve migrate`: adds the successor of a target to the project file.

The target's adapter maps the fields. The file is extended, never rewritten: its comments, order and
quotes stay. The new text is read back and verified before a rename replaces the old file.
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
class MigratedTarget:
    """A new target: its name, its text, and whether `migrate` wrote it to the file."""

    path: Path
    name: str
    text: str
    migration: Migration
    changed: bool


def migrate(
    path: Path, target: str, name: str | None = None, *, write: bool = True
) -> MigratedTarget:
    """Add the successor of a target to its project file.

    `name` is the name of the new target, by default the old one with `-PROVIDER` appended. The
    environment's overrides are ignored. Raises UserError if the target's platform has no
    successor, ConflictError if the name is taken, ProjectError if a target cannot be added to the
    file; nothing is written then.
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
            f"the project already has a target `{name}`",
            where=project.targets[name].where,
            hint="give the new target another name with --to",
        )
    before = _read(path)
    text = render(name, migration)
    after = insert(before, text, path)
    if write:
        _check(path, after, Target(name, migration.provider, migration.fields))
        _replace(path, after)
    return MigratedTarget(path, name, text, migration, changed=write)


def render(name: str, migration: Migration) -> str:
    """Return a target as YAML, not indented."""
    import yaml

    body = {name: {"provider": migration.provider, **_plain(migration.fields)}}
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)
    return f"# {migration.reason}\n{text}"


def insert(before: str, target: str, path: Path) -> str:
    """Return a project file's text with a target appended to its `targets`.

    Raises ProjectError for `targets` in flow style (`{…}`), to which nothing can be added.
    """
    import yaml

    root = yaml.compose(before, Loader=yaml.SafeLoader)
    entries = list(root.value) if isinstance(root, yaml.MappingNode) else []
    targets = next((value for key, value in entries if key.value == TARGETS), None)
    if not isinstance(targets, yaml.MappingNode) or targets.flow_style or not targets.value:
        line = targets.start_mark.line + 1 if targets is not None else 1
        raise ProjectError(
            "`targets` is in YAML flow style (`{…}`); a target can only be added to block style",
            where=f"{path}:{line}: {TARGETS}",
            hint=f"write one target per line, or add this by hand:\n{target}",
        )
    lines = before.splitlines(keepends=True)
    at = _end(lines, [key.start_mark.line for key, _ in entries], targets.start_mark.line)
    indent = " " * targets.value[0][0].start_mark.column
    newline = "\r\n" if before.count("\r\n") else "\n"
    added = textwrap.indent(target, indent).replace("\n", newline)
    head = "".join(lines[:at])
    gap = newline if head.endswith(("\n", "\r")) else newline * 2
    return f"{head}{gap}{added}{''.join(lines[at:])}"


def _end(lines: list[str], keys: list[int], start: int) -> int:
    """Return the index of the first line after the targets.

    Unindented comments and empty lines before the next key, or at the end of the file, do not
    belong to them.
    """
    at = min((line for line in keys if line > start), default=len(lines))
    while at > start + 1 and (not lines[at - 1].strip() or lines[at - 1].startswith("#")):
        at -= 1
    return at


def _check(path: Path, text: str, expected: Target) -> None:
    """Raise ProjectError unless `text` is the old project with exactly one more target."""
    draft = _draft(path)
    try:
        _write(draft, text, path)
        old, new = load_project(path, environ={}), load_project(draft, environ={})
    finally:
        _remove(draft)
    target = new.targets.get(expected.name)
    same = all(
        (new.targets[name].provider, new.targets[name].fields) == (other.provider, other.fields)
        for name, other in old.targets.items()
    )
    added = target is not None and (target.provider, dict(target.fields)) == (
        expected.provider,
        _plain(expected.fields),
    )
    if not (same and added and len(new.targets) == len(old.targets) + 1):
        raise ProjectError(
            "the new target cannot be added to the file", where=str(path), hint="add it by hand"
        )


def _plain(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items()
    }


def _replace(path: Path, text: str) -> None:
    draft = _draft(path)
    try:
        _write(draft, text, path)
        with suppress(OSError):  # the file system has no modes
            draft.chmod(path.stat().st_mode)
        draft.replace(path.resolve())
    finally:
        _remove(draft)


def _remove(draft: Path) -> None:
    with suppress(OSError):  # a read-only file system refuses even to delete a missing file
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f".{real.name}.{os.getpid()}")


def _read(path: Path) -> str:
    # `newline=""` keeps the line endings.
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _write(draft: Path, text: str, path: Path) -> None:
    try:
        draft.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be written: {error.strerror}",
            where=str(path),
            hint="check the permissions of its folder; --dry-run prints the text to add by hand",
        ) from error
