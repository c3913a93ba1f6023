"""Plain English: phrases that have a plainer form stay out of docstrings, comments and pages.

To add a phrase, remove its last use and add a row to PHRASES (CONTRIBUTING.md has the rules).
"""

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.docs.test_links import FENCE

ROOT = Path(__file__).resolve().parents[2]
LISTS = {Path(__file__).resolve(), ROOT / "CONTRIBUTING.md"}
"""The files that list the phrases."""
FOLDERS = (
    *("adapters", "benchmarks", "cloudserve", "docs", "examples", "local_server", "templates"),
    *("tests", "tools"),
)
SEPARATOR = r"""[\s#"']+"""
"""What may stand between two words of a phrase: a line break, a comment's `#`, quotes."""
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
"""Python 3.12 splits an f-string into tokens."""

PHRASES = {
    "a line a step": "one line per step",
    "a line an instance": "one line per instance",
    "a parameter an option": "one parameter per option",
    "an own": "its own",
    "anew": "again",
    "are not there": "do not exist",
    "are told": "are reported",
    "as long as nobody": "unless somebody",
    "as wanted": "as planned",
    "be it": "even if, whether",
    "does it without a question": "confirms it",
    "exclude each other": "are mutually exclusive",
    "give back": "release, return",
    "gives up the": "releases the",
    "go off": "fire",
    "go on": "continue",
    "goes off": "fires",
    "goes on": "continues",
    "in silence": "without notice",
    "in the place of": "instead of",
    "is not there": "does not exist",
    "is told": "is reported",
    "is wanted": "is required",
    "lie in": "are in",
    "lies in": "is in",
    "made anew": "recreated",
    "makes anew": "recreates",
    "meanwhile": "in the meantime",
    "nobody answers": "no answer",
    "none is told": "it is unknown",
    "one that was cut off": "an interrupted …",
    "passed over": "ignored",
    "rooms": "packages",
    "say whether": "return whether",
    "stands here twice": "is a duplicate",
    "that is there": "existing …, that exists",
    "there already": "already exists",
    "to be had": "available",
    "told as such": "reported as …",
    "was away too long": "was suspended too long",
    "went back": "was rolled back",
    "what goes back": "a rollback",
    "what is there": "existing …",
    "what stands where": "the layout of …",
    "what went back": "the version that was rolled back to",
    "who asked": "the caller",
    "who asks": "the caller",
    "who has": "the holder",
    "who may not": "without permission",
    "who waits": "the caller",
    "whole or not at all": "atomically",
    "without being asked": "automatically",
}
"""Phrase -> what to write."""


def python_texts(source):
    """Yield line and text of each comment and string, adjacent ones joined."""
    kind, line, parts = None, 0, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in LAYOUT:
            continue
        if token.type != kind:
            if parts:
                yield line, " ".join(parts)
            kind, line, parts = token.type, token.start[0], []
        if token.type in TEXTS:
            parts.append(token.string)
    if parts:
        yield line, " ".join(parts)


def page_texts(source):
    """Yield line and text of each paragraph of a page, without its code blocks."""
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), source)
    line = 1
    for paragraph in re.split(r"(\n{2,})", prose):
        yield line, paragraph
        line += paragraph.count("\n")


def pattern(phrase):
    return re.compile(rf"\b{SEPARATOR.join(map(re.escape, phrase.split()))}\b", re.IGNORECASE)


def uses(source, texts):
    """Yield line, phrase and replacement of each use; most sources are not tokenized."""
    words = source.lower()
    suspects = {
        phrase: regex
        for phrase in PHRASES
        # Looking for its words takes a tenth of the time of looking for the phrase.
        if all(word in words for word in phrase.split())
        and (regex := pattern(phrase)).search(source)
    }
    for line, text in texts(source) if suspects else ():
        for phrase, regex in suspects.items():
            for match in regex.finditer(text):
                yield line + text.count("\n", 0, match.start()), phrase, PHRASES[phrase]


def sources():
    pages = [*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))]
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    yield from ((path, page_texts) for path in sorted(pages))
    yield from ((path, python_texts) for path in sorted(modules))


def test_phrases_with_a_plainer_form_are_not_used():
    results = [
        f"{path.relative_to(ROOT)}:{line}: `{phrase}`: write {plain}"
        for path, texts in sources()
        if path not in LISTS
        for line, phrase, plain in uses(path.read_text("utf-8"), texts)
    ]
    assert results == []


PHRASE = next(iter(PHRASES))
FIRST, REST = PHRASE.split(maxsplit=1)


@pytest.mark.parametrize(
    ("source", "texts", "lines"),
    [
        (f'"""A.\n\nB {PHRASE} c."""', python_texts, [3]),
        (f"x = 1\n# A {FIRST}\n# {REST} b.\n", python_texts, [2]),
        (f'x = f("a {FIRST} "\n      "{REST}")', python_texts, [1]),
        (f"x = 1  # {PHRASE.upper()}", python_texts, [1]),
        (f"x = {PHRASE.replace(' ', '_')}", python_texts, []),
        (f"# Title\n\nA {FIRST}\n{REST} b.", page_texts, [3]),
        (f"```\n{PHRASE}\n```\n\nA.\n\n{PHRASE}", page_texts, [7]),
    ],
)
def test_a_phrase_is_found_only_in_texts(source, texts, lines):
    assert [line for line, _, _ in uses(source, texts)] == lines


def test_names_of_tests_are_statements():
    """A clause is not a name: `test_a_cut_file_is_refused`, not `test_what_is_cut_is_refused`."""
    clause = re.compile(r"def (test_(?:what|who|one_that)_\w*)")
    folders = (ROOT / "tests", ROOT / "cloudserve" / "testing")
    modules = [module for folder in folders for module in folder.rglob("*.py")]
    assert [name for module in modules for name in clause.findall(module.read_text("utf-8"))] == []
