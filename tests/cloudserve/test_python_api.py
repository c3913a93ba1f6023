"""The public API: what it offers, and that its reference page says so."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import cloudserve

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_public_name_can_be_had():
    for name in cloudserve.__all__:
        assert getattr(cloudserve, name) is not None
    assert sorted(cloudserve.__all__) == sorted(dir(cloudserve))


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'deplot'"):
        _ = cloudserve.deplot


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, cloudserve; print({'yaml', 'msgspec', 'google', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_reference_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_api", DOCS / "write_python_api.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    page = (DOCS / "reference" / "python-api.md").read_text()
    if page != writer.render():
        pytest.fail("docs/reference/python-api.md is not what the code says: run `make docs`")
