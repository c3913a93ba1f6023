"""Pages of a listing, and the opaque tokens that continue it."""

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

    The items are (name, item) with unique names, in the order of the listing. A token names the
    last item of its page; if that was deleted, the listing continues at its former position.
    Raises ValueError for a token that no page returned.
    """
    start = _after(items, token) if token else 0
    end = start + size
    chosen = [item for _, item in items[start:end]]
    last = f"{end - 1}:{items[end - 1][0]}" if end < len(items) else None
    return chosen, last and encode_token(last)


def _after(items: Sequence[Named[Item]], token: str) -> int:
    place, last = _read(token)
    for index, (name, _) in enumerate(items):
        if name == last:
            return index + 1
    return place


def encode_token(text: str) -> str:
    """Return a text as an opaque token."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_token(token: str) -> str:
    """Return the text of a token; raises ValueError."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("not a page token") from error


def _read(token: str) -> tuple[int, str]:
    place, colon, name = decode_token(token).partition(":")
    if not colon or not place.isascii() or not place.isdecimal():
        raise ValueError("not a page token")
    return int(place), name
