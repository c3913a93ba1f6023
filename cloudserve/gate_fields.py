"""The reader of `targets.NAME.gates` in the project file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudserve.errors import ProjectError
from cloudserve.gate_settings import NAMES, ApprovalSettings, GateSettings, GoldenSettings
from cloudserve.hints import did_you_mean
from cloudserve.yamlfile import Document, KeyPath


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of the file and its place."""

    document: Document
    path: KeyPath
    value: Any

    def error(self, message: str, hint: str) -> ProjectError:
        return ProjectError(message, where=self.document.where(self.path), hint=hint)

    def fields(self, known: tuple[str, ...]) -> dict[str, _Value]:
        if not isinstance(self.value, dict):
            hint = f"write lines like `{known[0]}: …` below it"
            raise self.error(f"`{self.path[-1]}` must be a mapping, not `{self.value}`", hint)
        values = {
            str(key): _Value(self.document, (*self.path, str(key)), value)
            for key, value in self.value.items()
        }
        for key, value in values.items():
            if key not in known:
                raise value.error(f"unknown key `{key}`", did_you_mean(key, known))
        return values

    def switch(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.error(
                f"`{self.path[-1]}` must be true or false, not `{self.value}`",
                f"{self.path[-1]}: true, or {self.path[-1]}: false",
            )
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self.error(
                f"`{self.path[-1]}` must be text, not `{self.value}`", f"{self.path[-1]}: TEXT"
            )
        return self.value

    def number(self, most: float = math.inf) -> float:
        value = _float(self.value)
        if value is None or not 0 <= value <= most:
            limit = "at least 0" if most == math.inf else f"from 0 to {most:g}"
            raise self.error(
                f"`{self.path[-1]}` must be a number {limit}, not `{self.value}`",
                f"{self.path[-1]}: 0.5" if most == 1 else f"{self.path[-1]}: 1e-6",
            )
        return value


def read_gates(document: Document, path: KeyPath, value: Any) -> GateSettings:
    """Return the gates of a target; raises ProjectError, which names the wrong field."""
    if value is None:
        return GateSettings()
    fields = _Value(document, path, value).fields(NAMES)
    switches = {name: fields[name].switch() for name in ("contract", "load") if name in fields}
    return GateSettings(
        **switches,
        approval=_optional(fields.get("approval"), _approval),
        golden=_optional(fields.get("golden"), _golden),
    )


def _optional(value: _Value | None, read: Callable[[_Value], Any]) -> Any:
    if value is None or value.value is None or value.value is False:
        return None
    return read(value)


def _approval(value: _Value) -> ApprovalSettings:
    if value.value is True:
        return ApprovalSettings()
    fields = value.fields(("require_other",))
    return ApprovalSettings("require_other" in fields and fields["require_other"].switch())


def _golden(value: _Value) -> GoldenSettings:
    fields = value.fields(("file", "absolute", "relative", "ulp", "accuracy"))
    if "file" not in fields:
        raise value.error(
            "`file` is missing", "file: golden.jsonl, written by `cloudserve golden record`"
        )
    bounds: dict[str, float] = {
        name: fields[name].number() for name in ("absolute", "relative", "ulp") if name in fields
    }
    accuracy = fields["accuracy"].number(most=1) if "accuracy" in fields else None
    return GoldenSettings(fields["file"].text(), bounds, accuracy)


def _float(value: Any) -> float | None:
    """Return a number; YAML 1.1 reads `1e-6`, without a point, as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
