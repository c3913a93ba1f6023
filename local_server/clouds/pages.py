"""Pages of a listing: opaque tokens that name the last item of the page before."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
Named = tuple[str, Item]


def page(
    items: Sequence[Named[Item]], size: int, token: str | None
) -> tuple[list[Item], str | None]:
    """Return up to `size` items after the token's, and the token of the next page if there is one.

    The items are (name, item) with unique names, in their listing order. An item deleted since
    the token was given out does not end the listing when names ascend. Raises ValueError for a
    token that no page gave out.
    """
    start = 0 if not token else _after(items, _name(token))
    chosen = items[start : start + size]
    more = start + size < len(items)
    return [item for _, item in chosen], _token(chosen[-1][0]) if more and chosen else None


def _after(items: Sequence[Named[Item]], last: str) -> int:
    for index, (name, _) in enumerate(items):
        if name == last:
            return index + 1
    return next((i for i, (name, _) in enumerate(items) if name > last), len(items))


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a page token") from error
