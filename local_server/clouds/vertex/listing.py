"""Pages of Vertex AI's lists: filtered, sorted, paged, and reduced by a field mask."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..filters import FilterError, camel, compile_filter
from ..pages import page
from ..resources import Document
from .records import invalid

_ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*")
EQUAL, EQUALITY = frozenset({"="}), frozenset({"=", "!="})
MAP = frozenset({"=", "!=", ":"})
"""Labels: `labels.key=value`, `labels.key:*` and `labels:key`."""
TEXT = frozenset({"=", "!=", ":"})
BY_NAME_OR_TIME = {name: name for name in ("displayName", "createTime", "updateTime")}
TIME = frozenset({"=", "!=", "<", "<=", ">", ">="})
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """The listing of a collection: its key in the response.

    `fields` are those to filter by, with their comparators, `order` those to sort by, with the
    fields of the documents that they stand for: each method documents its own (aiplatform v1, the
    parameters `filter` and `orderBy`).
    """

    key: str
    fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    order: Mapping[str, str] = field(default_factory=dict)

    def answer(
        self,
        items: Sequence[tuple[str, Document]],
        query: Mapping[str, Any],
        more: Mapping[str, Document] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Return one page of (unique name, document) pairs: `{}` if it is empty.

        `more` has fields to filter by, by unique name, that are not in the documents.
        """
        try:
            passes = compile_filter(query.get("filter", ""), self.fields)
        except FilterError as error:
            raise invalid(f"Invalid filter: {error}.") from error
        matching = [
            (name, document)
            for name, document in items
            if passes(_searched(document) | more.get(name, {}))
        ]
        chosen, token = _cut(_ordered(matching, query.get("orderBy", ""), self.order), query)
        shown = [masked(document, query.get("readMask", "")) for document in chosen]
        answer: dict[str, Any] = {self.key: shown} if shown else {}
        return answer | ({"nextPageToken": token} if token else {})


def _searched(document: Document) -> Document:
    """Return a document with its ID under the name that filters use."""
    short = str(document.get("name", "")).rpartition("/")[2]
    return {**document, "model": short, "endpoint": short}


def _ordered(
    items: list[tuple[str, Document]], order_by: str, sortable: Mapping[str, str]
) -> list[tuple[str, Document]]:
    ordered = items
    for part in reversed([part for part in order_by.split(",") if part.strip()]):
        match = _ORDER.fullmatch(part)
        if match is None:
            raise invalid(f'Invalid order_by: "{part.strip()}".')
        name, descending = camel(match[1]), match[2] == "desc"
        if name not in sortable:
            raise invalid(f'Invalid order_by: the field "{match[1]}" cannot be sorted by.')
        ordered = sorted(ordered, key=_value_of(sortable[name]), reverse=descending)
    return ordered


def _value_of(name: str) -> Callable[[tuple[str, Document]], str]:
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
