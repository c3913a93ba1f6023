"""Hosts that predictions, with their tokens, may be sent to when an address names the host."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from cloudserve.errors import UserError
from cloudserve.release.destination import is_loopback


def api_of(address: str, parts: Mapping[str, str], override: str, own: str, suffix: str) -> str:
    """Return the URL of the API that an address means.

    A host of this machine is used as it is; Google's own stands for the API, which the
    variable in `override` may replace, as for all of Google's clients. Raises UserError for any
    other host: it would be sent a token of the account.
    """
    base = parts.get("base", "")
    host = urlsplit(base).hostname or ""
    if is_loopback(base):
        return base
    if base and not (base.startswith("https://") and host.endswith(suffix)):
        raise UserError(
            f"`{host}` is not a host of Google's that answers predictions",
            where=address,
            hint="give the resource's name: projects/…",
        )
    return override or own
