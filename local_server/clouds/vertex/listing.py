"""Pages of Vertex AI's lists: filtered, sorted, paged, and reduced by a field mask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..filters import FilterError, camel, compile_filter
from ..pages import page
from ..resources import Document
from .records import invalid

_ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*")
_SORTABLE = {"createTime", "updateTime", "displayName"}
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """The listing of a collection: its key in the response, and the fields to filter by."""

    key: str
    fields: frozenset[str]

    def answer(
        self, items: Sequence[tuple[str, Document]], query: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return one page of (unique name, document) pairs: `{}` if it is empty."""
        try:
            passes = compile_filter(query.get("filter", ""), self.fields)
        except FilterError as error:
            raise invalid(f"Invalid filter: {error}.") from error
        matching = [(name, document) for name, document in items if passes(_searched(document))]
        chosen, token = _cut(_ordered(matching, query.get("orderBy", "")), query)
        shown = [masked(document, query.get("readMask", "")) for document in chosen]
        answer: dict[str, Any] = {self.key: shown} if shown else {}
        return answer | ({"nextPageToken": token} if token else {})


def _searched(document: Document) -> Document:
    """Return a document with its ID under the name that filters use."""
    short = str(document.get("name", "")).rpartition("/")[2]
    return {**document, "model": short, "endpoint": short}


def _ordered(items: list[tuple[str, Document]], order_by: str) -> list[tuple[str, Document]]:
    ordered = items
    for part in reversed([part for part in order_by.split(",") if part.strip()]):
        match = _ORDER.fullmatch(part)
        if match is None:
            raise invalid(f'Invalid order_by: "{part.strip()}".')
        name, descending = camel(match[1]), match[2] == "desc"
        if name not in _SORTABLE:
            raise invalid(f'Invalid order_by: the field "{match[1]}" cannot be sorted by.')
        ordered = sorted(ordered, key=_field(name), reverse=descending)
    return ordered


def _field(name: str) -> Callable[[tuple[str, Document]], str]:
    return lambda item: str(item[1].get(name, ""))


def _cut(
    items: list[tuple[str, Document]], query: Mapping[str, Any]
) -> tuple[list[Document], str | None]:
    size = query.get("pageSize", 0)
    if size < 0:
        raise invalid("The field `page_size` must not be negative.")
    try:
        return page(items, min(size or _DEFAULT_PAGE, _LARGEST_PAGE), query.get("pageToken"))
    except ValueError as error:
        raise invalid("Invalid page token.") from error


def masked(document: Document, mask: str) -> Document:
    """Return the fields in a read mask; all of them for "" and "*"."""
    names = {camel(path.strip().partition(".")[0]) for path in mask.split(",") if path.strip()}
    if not names or "*" in names:
        return document
    return {key: value for key, value in document.items() if key in names}
