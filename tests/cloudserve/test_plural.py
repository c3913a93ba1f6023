"""Numbers with their nouns: `1 file`, `2 files`, in every text of the command line."""

import ast
import re
from pathlib import Path

import pytest

from cloudserve.plural import counted

ROOT = Path(__file__).resolve().parents[2]
NOUNS = re.compile(
    r"^ (?:[a-z-]+ )?(?:answers|bytes|differences|examples|files|instances|labels|lines|models"
    r"|objects|ops|packages|parts|records|requests|revisions|rows|steps|threads|warnings)\b"
)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, "file"), "1 file"),
        ((0, "file"), "0 files"),
        ((1234, "file"), "1,234 files"),
        ((1, "class", "classes"), "1 class"),
        ((2, "class", "classes"), "2 classes"),
    ],
)
def test_a_noun_agrees_with_its_number(arguments, text):
    assert counted(*arguments) == text


def has_number(value):
    """Return whether a formatted value is a number: a length, or with thousands separated."""
    if isinstance(value, ast.FormattedValue):
        expression = ast.unparse(value.value)
        return expression.startswith("len(") or (
            value.format_spec is not None and ast.unparse(value.format_spec) == "f','"
        )
    return False


@pytest.mark.parametrize("folder", ["cloudserve", "adapters"])
def test_no_text_has_a_plural_behind_a_number_that_may_be_one(folder):
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        for value, text in zip(node.values, node.values[1:], strict=False)
        if has_number(value) and isinstance(text, ast.Constant) and NOUNS.match(text.value)
    ]
    assert wrong == []
