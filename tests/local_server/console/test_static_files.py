"""The console's files: complete, small, and without a way from text to HTML."""

import re
from importlib.resources import files

import pytest
from cloudserve.local_server.console.pages import _PAGES, _static_files

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


def test_the_pages_have_one_head_with_their_own_titles_and_scripts():
    files = {name: text.decode() for name, text in _static_files().items() if "html" in name}
    heads = {name: page.partition("<body>")[0] for name, page in files.items()}
    assert [re.findall("<title>(.*)</title>", head) for head in heads.values()] == [
        [title] for title, _ in map(_PAGES.get, heads)
    ]
    assert all(page.startswith("<!doctype html>") and "{" not in page for page in files.values())
    for name, (_, script) in _PAGES.items():
        assert f"static/{script}" in heads[name]
        assert script in FILES
