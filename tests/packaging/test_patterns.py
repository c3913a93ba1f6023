"""Regular expressions that match alike in every Python that setup.cfg names.

Until CPython 3.11.4, possessive repetition of a group kept a part of a failed attempt
(cpython#106052); Debian 12 has 3.11.2. Atomic groups are not affected.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from re import _parser  # the only parser of this syntax

import pytest

ROOT = Path(__file__).resolve().parents[2]
POSSESSIVE = re.compile(r"[)\]][*+?]\+")
HARMLESS = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "ATOMIC_GROUP"}


def modules():
    for folder in ("cloudserve", "adapters", "local_server"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if "re.compile" in text and POSSESSIVE.search(text):
                parts = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(parts if folder == "cloudserve" else ("cloudserve", *parts))


def repeated(node):
    """Yield the operation that each possessive repetition of a parsed pattern repeats."""
    if isinstance(node, _parser.SubPattern):
        for operation, argument in node:
            if str(operation) == "POSSESSIVE_REPEAT":
                yield str(argument[2][0][0]) if len(argument[2]) == 1 else "a sequence"
            yield from repeated(argument)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from repeated(part)


@pytest.mark.parametrize("name", list(modules()))
def test_possessive_repetitions_are_of_single_characters_or_atomic_groups(name):
    module = importlib.import_module(name)
    patterns = [value.pattern for value in vars(module).values() if isinstance(value, re.Pattern)]
    operations = {op for pattern in patterns for op in repeated(_parser.parse(pattern))}
    assert operations
    assert operations <= HARMLESS


def test_a_possessive_group_is_found():
    assert set(repeated(_parser.parse("(?:a(?:bc)*+)"))) == {"a sequence"}
    assert set(repeated(_parser.parse("(?:b[12])++(?>bc)?+x*+"))) == {
        "a sequence",
        "ATOMIC_GROUP",
        "LITERAL",
    }
