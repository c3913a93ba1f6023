"""Protobuf messages of nested dicts: protobuf 5 does not take them in every place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Message = TypeVar("Message", bound=Any)


def built(message: Message, fields: Mapping[str, Any]) -> Message:
    """Return a message with these fields; lists and maps of messages are of dicts, too."""
    for name, value in fields.items():
        target = getattr(message, name)
        if hasattr(target, "GetEntryClass"):
            for key, entry in value.items():
                if isinstance(entry, Mapping):
                    built(target[key], entry)
                else:
                    target[key] = entry
        elif hasattr(target, "add"):
            for entry in value:
                built(target.add(), entry)
        elif isinstance(value, Mapping):
            target.SetInParent()
            built(target, value)
        elif isinstance(value, list | tuple):
            target.extend(value)
        else:
            setattr(message, name, value)
    return message


def is_repeated(field: Any) -> bool:
    """Return whether a field is a list or a map; protobuf 7 has no `label`, protobuf 5 no other."""
    known = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if known is None else known)
