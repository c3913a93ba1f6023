"""Every page with shell commands is typed by a test, or it is said why not."""

from __future__ import annotations

import pytest

from tests.e2e.pages.markdown import ROOT, Line, lines, missing
from tests.e2e.pages.test_pages import PAGES

TYPED = {
    **dict.fromkeys(PAGES, "tests/e2e/pages/test_pages.py"),
    "docs/tutorial/first-release.md": "tests/e2e/test_tutorial.py",
    "docs/how-to/sdks/aws-cli.md": "tests/oracles/test_sdks.py",
}
"""By page, the test that types its commands."""
NOT_TYPED: dict[str, str] = {}
"""By page, why no test types it."""
FOUND = [
    str(page.relative_to(ROOT))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name != "cli.md" and lines(str(page.relative_to(ROOT)))
]


@pytest.mark.parametrize("page", FOUND)
def test_a_page_with_commands_is_typed_or_it_is_said_why_not(page):
    assert (page in TYPED) != (page in NOT_TYPED)
    if page in TYPED:
        assert (ROOT / TYPED[page]).is_file()


def test_no_page_is_listed_that_has_no_commands():
    assert (TYPED.keys() | NOT_TYPED.keys()) - set(FOUND) == set()


def test_every_command_that_is_left_out_has_a_reason():
    for page, settings in PAGES.items():
        assert all(settings.without.values()), page
        assert all(settings.unlike.values()), page


def test_shown_output_is_compared_but_for_numbers_digests_and_widths():
    line = Line("deploy", "v1-0f3c5a9b7d21  ready 100%\nwrote …/a.txt\nlive")
    printed = "v2-aaaaaaaaaaaa ready   5%\nwrote /tmp/x/a.txt\n"
    assert missing(line, printed) == ["live"]
