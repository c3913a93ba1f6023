"""Formats of results for programs: JSON, YAML, and JSON lines."""

from __future__ import annotations

import json
import re
from typing import Any

_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")
"""The numbers of YAML 1.2's core schema (YAML 1.2.2, 10.3.2), such as `1e5` and `089`."""
JSON, YAML, NDJSON = "json", "yaml", "ndjson"
FOR_PROGRAMS = (JSON, YAML, NDJSON)


def encoded(document: Any, output: str) -> bytes:
    """Return a document in a format for programs.

    NDJSON has a line for each item of a list, and one line for any other document.
    """
    import msgspec

    text = msgspec.json.encode(document)
    return msgspec.json.format(text, indent=2) if output == JSON else _converted(text, output)


def converted(text: bytes, output: str) -> bytes:
    """Return a JSON text in a format for programs; for JSON it is unchanged."""
    return text if output == JSON else _converted(text, output)


def _converted(text: bytes, output: str) -> bytes:
    document = json.loads(text)  # unlike msgspec, reads a model's NaN and Infinity
    if output == YAML:
        import yaml

        class Quoting(yaml.SafeDumper):
            """Quotes texts that are numbers in YAML 1.2, which PyYAML does not know."""

        Quoting.add_representer(str, _text)
        text = yaml.dump(
            document, Dumper=Quoting, sort_keys=False, allow_unicode=True, encoding="utf-8"
        )
        return text.rstrip(b"\n")
    items = document if isinstance(document, list) else [document]
    return "\n".join(json.dumps(item, ensure_ascii=False) for item in items).encode()


def _text(dumper: Any, text: str) -> Any:
    style = "'" if _NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
