"""Numbers that README and the pages name, compared with the code."""

import re
from pathlib import Path

from cloudserve.check.check import RULES

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
ONE_FOR_A_MODEL_THAT_CANNOT_BE_READ = 1


def test_the_rules_of_check_are_counted_right():
    counted = {
        (page.relative_to(ROOT).as_posix(), int(count))
        for page in PAGES
        for count in re.findall(r"\b(\d+) rules\b", page.read_text("utf-8"))
    }
    assert {count for _, count in counted} == {len(RULES) + ONE_FOR_A_MODEL_THAT_CANNOT_BE_READ}
