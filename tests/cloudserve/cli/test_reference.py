"""The command line reference equals the commands' help texts."""

from pathlib import Path

import pytest

from cloudserve.cli.reference import render

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md"


def test_the_page_is_up_to_date(monkeypatch):
    for variable in ("COLUMNS", "CLOUDSERVE_PROJECT", "CLOUDSERVE_TARGET", "CLOUDSERVE_OUTPUT"):
        monkeypatch.delenv(variable, raising=False)
    if PAGE.read_text() != render():
        pytest.fail("docs/reference/cli.md is not what the commands say: run `make docs`")


def test_no_help_text_has_an_empty_default_or_a_type_of_click():
    assert [
        word for word in ('[default: ""]', " RANGE ", " FLOAT ", " TEXT,") if word in render()
    ] == []
