"""The page of the project file names the fields that the adapters have, and no others."""

import dataclasses
import re
from pathlib import Path

import pytest
from cloudserve.adapters.aws.sagemaker.fields import options as sagemaker
from cloudserve.adapters.google.ai_platform import options as ai_platform
from cloudserve.adapters.google.vertex.fields import options as vertex

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "project-file.md"


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("ai-platform", ai_platform.Options),
        ("sagemaker", sagemaker.Options),
        ("vertex", vertex.Options),
    ],
)
def test_the_table_lists_the_fields(provider, options):
    section = PAGE.read_text().split(f"## Fields of `provider: {provider}`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(field.name for field in dataclasses.fields(options))
