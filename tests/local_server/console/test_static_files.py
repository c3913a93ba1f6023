"""The console's files: complete, small, and without a way from text to HTML."""

import re
from importlib.resources import files

import pytest

STATIC = files("cloudserve.local_server.console").joinpath("static")
FILES = {file.name: file.read_text("utf-8") for file in STATIC.iterdir()}
REFERENCES = re.compile(r"/_cloudserve/console/static/([\w.]+)|from \"\./([\w.]+)\"")


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_that_is_named_exists(name):
    named = {one or other for one, other in REFERENCES.findall(FILES[name])}
    assert named <= FILES.keys()


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".js")))
def test_no_script_makes_html_or_code_of_text(name):
    forbidden = r"(inner|outer)HTML|insertAdjacent|document\.write|\beval\(|Function\(|srcdoc"
    assert not re.search(forbidden, FILES[name])
    assert "https://" not in re.sub(r"//.*", "", FILES[name])


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".html")))
def test_no_page_has_inline_code_or_styles(name):
    page = FILES[name]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


def test_files_stay_short():
    assert max(len(text.splitlines()) for text in FILES.values()) < 400
