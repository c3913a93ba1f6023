"""The static files of the console, with headers that let the page load nothing else.

The Content-Security-Policy allows scripts and styles of this server only, none inline, and no
conversion of text to HTML (`require-trusted-types-for`): what a model or a request is named stays
text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files

from ..transport.types import Application, Head, Request, Response, Together, together_of
from .paths import CONSOLE_PAGES, DOCS_PAGE, STATIC, asks_for_page, is_read

_KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEAD = "head.html"
"""The beginning of every page, with the places of its title and its script."""
_PAGES = {
    "console.html": ("cloudserve console", "main.js"),
    "docs.html": ("API of this server", "docs.js"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class ConsolePages:
    """Answers with the pages and their files; passes other requests on (an Application)."""

    def __init__(self, app: Application, *, has_docs: bool) -> None:
        """Take the application, and whether the server has an OpenAPI document to read."""
        self._app = app
        self._pages = dict.fromkeys(CONSOLE_PAGES, "console.html")
        if has_docs:
            self._pages[DOCS_PAGE] = "docs.html"

    def body_limit(self, head: Head) -> int | None:
        """Return 0 for a file, else the application's limit."""
        return self._app.body_limit(head) if self._file(head) is None else 0

    def together(self, head: Head) -> Together | None:
        """Return the application's function; None for a file."""
        return together_of(self._app, head) if self._file(head) is None else None

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer with a file, or pass the request on."""
        name = self._file(request.head)
        return self._app.handle(request) if name is None else _answer(name)

    def _file(self, head: Head) -> str | None:
        """Return the name of the file that a request asks for, which may not exist."""
        if not is_read(head):  # most requests are predictions
            return None
        path = head.path
        if path.startswith(STATIC):
            return path.removeprefix(STATIC)
        page = self._pages.get(path)
        return page if page is not None and asks_for_page(head) else None


def _answer(name: str) -> Response:
    body = _static_files().get(name)
    if body is None:
        return Response(HTTPStatus.NOT_FOUND, b"The console has no such file.\n", "text/plain")
    return Response(HTTPStatus.OK, body, _KINDS[name.rpartition(".")[2]], HEADERS)


@cache
def _static_files() -> Mapping[str, bytes]:
    """Read all files, once, when the first is requested."""
    folder = files(__package__).joinpath("static")
    listed = [file for file in folder.iterdir() if file.name.rpartition(".")[2] in _KINDS]
    found = {file.name: file.read_bytes() for file in listed}
    head = found.pop(_HEAD).decode()
    for name, (title, script) in _PAGES.items():
        found[name] = head.format(title=title, script=script).encode() + found[name]
    return found
