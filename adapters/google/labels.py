"""Google Cloud's rules for labels, checked before a release begins.

Source: Resource Manager, "Requirements for labels"; cloudserve's own eight need room among the 64.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cloudserve.errors import UserError
from cloudserve.plural import counted
from cloudserve.project import Where
from cloudserve.release.types import Revision

KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
VALUE = re.compile(r"[a-z0-9_-]{0,63}")
OWN = "cloudserve-"
MOST = 64 - 8
LONGEST = 63
DIGITS = 12
NUMBER = "cloudserve-number"
DIGEST = ("cloudserve-digest-1", "cloudserve-digest-2")
HALF = 32


def label_value(text: str) -> str:
    """Return a text as a label's value; an invalid one is shortened with a digest of the text."""
    lower = text.lower()
    if VALUE.fullmatch(lower):
        return lower
    digest = hashlib.sha256(lower.encode()).hexdigest()[:DIGITS]
    words = re.sub(r"[^a-z0-9_-]", "-", lower)[: LONGEST - DIGITS - 1]
    return f"{words}-{digest}"


def version_labels(revision: Revision) -> dict[str, str]:
    """Return the labels that say which revision a platform version is."""
    return {
        NUMBER: str(revision.number),
        DIGEST[0]: revision.digest[:HALF],
        DIGEST[1]: revision.digest[HALF:],
    }


def bucket_label(url: str) -> str:
    """Return the bucket of `gs://NAME/…` as a label's value."""
    return label_value(url.removeprefix("gs://").partition("/")[0])


def check_labels(labels: Mapping[str, str], where: Where) -> None:
    """Raise UserError for labels past their number, their length or their characters."""
    if len(labels) > MOST:
        raise _wrong(f"there are {counted(len(labels), 'label')}; at most {MOST} fit", where)
    for key, value in labels.items():
        if key.startswith(OWN):
            raise _wrong(f"`{key}` is cloudserve's own label", where)
        if not KEY.fullmatch(key):
            raise _wrong(f"`{key}` is not a label's name", where)
        if not VALUE.fullmatch(value):
            raise _wrong(f"`{value}` is not a label's value ({key})", where)


def _wrong(message: str, where: Where) -> UserError:
    hint = "up to 63 lower-case letters, digits, - and _; a name begins with a letter"
    return UserError(message, where=where("labels"), hint=hint)
