"""`SCHEME://BUCKET/PREFIX`, taken apart."""

from __future__ import annotations

from cloudserve.errors import UserError

from .options import BUCKET_NAME


def split(url: str) -> tuple[str, str]:
    """Return a bucket's name and a prefix that is empty or ends in "/".

    Raises UserError if the bucket's name is invalid.
    """
    scheme, _, rest = url.partition("://")
    name, _, path = rest.partition("/")
    if not BUCKET_NAME.fullmatch(name):
        raise UserError(f"`{url}` is not a bucket URL", hint=f"write {scheme}://NAME/PATH")
    path = path.strip("/")
    return name, f"{path}/" if path else ""


def check_scheme(url: str, scheme: str) -> None:
    """Raise UserError for a URL that is not of a platform's own storage."""
    if not url.startswith(f"{scheme}://"):
        raise UserError(
            f"`{url}` is not a URL of the platform's storage", hint=f"write {scheme}://BUCKET/PATH"
        )
    split(url)
