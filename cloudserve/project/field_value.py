"""A value of the project file with its place, read as what it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cloudserve.errors import ProjectError
from cloudserve.hints import did_you_mean
from cloudserve.project.yamlfile import Document, KeyPath


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A value of the file and its place."""

    document: Document
    path: KeyPath
    value: Any

    def error(self, message: str, hint: str) -> ProjectError:
        """Return the error of a wrong value, with its line."""
        return ProjectError(message, where=self.document.where(self.path), hint=hint)

    def fields(self, known: tuple[str, ...]) -> dict[str, FieldValue]:
        """Return the values of a mapping by name; raises ProjectError for an unknown name."""
        if not isinstance(self.value, dict):
            hint = f"write lines like `{known[0]}: …` below it"
            raise self.error(f"`{self.path[-1]}` must be a mapping, not `{self.value}`", hint)
        values = {
            str(key): FieldValue(self.document, (*self.path, str(key)), value)
            for key, value in self.value.items()
        }
        for key, value in values.items():
            if key not in known:
                raise value.error(f"unknown key `{key}`", did_you_mean(key, known))
        return values

    def switch(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.error(
                f"`{self.path[-1]}` must be true or false, not `{self.value}`",
                f"{self.path[-1]}: true, or {self.path[-1]}: false",
            )
        return self.value

    def text(self) -> str:
        """Return text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error(
                f"`{self.path[-1]}` must be text, not `{self.value}`", f"{self.path[-1]}: TEXT"
            )
        return self.value

    def whole(self, least: int = 0) -> int:
        """Return a whole number of at least `least`."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(
                f"`{self.path[-1]}` must be a whole number of at least {least}, not `{value}`",
                f"{self.path[-1]}: 20",
            )
        return value

    def share(self) -> float:
        """Return a number between 0 and 1, neither included."""
        value = _float(self.value)
        if value is None or not 0 < value < 1:
            raise self.error(
                f"`{self.path[-1]}` must be a number between 0 and 1, not `{self.value}`",
                f"{self.path[-1]}: 0.95",
            )
        return value

    def number(self, most: float = math.inf, example: str = "1e-6") -> float:
        """Return a number from 0 to `most`."""
        value = _float(self.value)
        if value is None or not 0 <= value <= most:
            limit = "at least 0" if most == math.inf else f"from 0 to {most:g}"
            raise self.error(
                f"`{self.path[-1]}` must be a number {limit}, not `{self.value}`",
                f"{self.path[-1]}: {example}",
            )
        return value


def _float(value: Any) -> float | None:
    """Return a number; YAML 1.1 reads `1e-6`, without a point, as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
