"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path that has a name: `""` is what a shell makes of an unset variable.

    As a `Path` it would be the current folder, where nobody asked for a file.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; a usage error for an empty text."""
        if value == "":
            self.fail("the path is empty: write `.` for the current folder", param, ctx)
        return super().convert(value, param, ctx)
