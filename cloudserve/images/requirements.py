"""The locked requirements of the server, one file for each version of TensorFlow."""

from __future__ import annotations

from importlib.resources import files

from cloudserve.errors import UserError
from cloudserve.hints import choose_from

TENSORFLOWS = ("2.18", "2.19", "2.20", "2.21")
NEWEST = TENSORFLOWS[-1]
NEED_NUMPY_1 = ("2.16", "2.17")
"""Versions whose wheels require numpy 1, while the codecs rely on numpy 2: it refuses an integer
that its type cannot hold, where numpy 1 wraps it."""
_NOT_BEFORE = {"3.13": "2.20"}
"""The first TensorFlow with wheels for a version of Python."""
PYTHONS = ("3.11", "3.12", "3.13")


def locked_requirements(tensorflow: str) -> str:
    """Return the versions and hashes of all packages of a server with a TensorFlow (`2.21`).

    Raises UserError for a version that the server does not run with.
    """
    minor = ".".join(tensorflow.split(".")[:2])
    if minor in NEED_NUMPY_1:
        raise UserError(
            f"TensorFlow {minor} requires numpy 1, and cloudserve numpy 2",
            where="--tensorflow",
            hint=choose_from(TENSORFLOWS),
        )
    if tensorflow not in TENSORFLOWS:
        raise UserError(
            f"there is no tested set of packages for TensorFlow {tensorflow}",
            where="--tensorflow",
            hint=choose_from(TENSORFLOWS),
        )
    place = files("cloudserve.templates.image") / f"tensorflow-{minor}.txt"
    return place.read_text("utf-8")


def check_python(python: str, tensorflow: str) -> None:
    """Raise UserError if there are no wheels of a TensorFlow for a version of Python (`3.12`)."""
    first = _NOT_BEFORE.get(python, TENSORFLOWS[0])
    if python not in PYTHONS:
        raise UserError(
            f"there is no tested set of packages for Python {python}",
            where="--base",
            hint=choose_from(PYTHONS),
        )
    if TENSORFLOWS.index(tensorflow) < TENSORFLOWS.index(first):
        raise UserError(
            f"TensorFlow {tensorflow} has no wheels for Python {python}; {first} is the first",
            where="--tensorflow",
            hint="name another TensorFlow, or a base image with Python 3.12",
        )
