"""Pages of a listing: opaque tokens that name the last item of the page before."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
Named = tuple[str, Item]


def page(
    items: Sequence[Named[Item]], size: int, token: str | None
) -> tuple[list[Item], str | None]:
    """Return up to `size` items after the token's, and the token of the next page if there is one.

    The items are (name, item) with unique names, in their listing order. When the token's item
    was deleted meanwhile, the listing goes on where it stood. Raises ValueError for a token that
    no page gave out.
    """
    start = _after(items, token) if token else 0
    end = start + size
    chosen = [item for _, item in items[start:end]]
    return chosen, _token(end - 1, items[end - 1][0]) if end < len(items) else None


def _after(items: Sequence[Named[Item]], token: str) -> int:
    place, last = _read(token)
    for index, (name, _) in enumerate(items):
        if name == last:
            return index + 1
    return place


def _token(place: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{place}:{name}".encode()).decode()


def _read(token: str) -> tuple[int, str]:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("not a page token") from error
    place, colon, name = text.partition(":")
    if not colon or not place.isascii() or not place.isdecimal():
        raise ValueError("not a page token")
    return int(place), name
