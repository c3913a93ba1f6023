"""TensorFlow's versions: is the one that is to serve a model older than the one that wrote it?"""

from __future__ import annotations


def too_old(server: str, version: str, written_by: str) -> tuple[str, ...]:
    """Return a warning if what serves a model has an older TensorFlow than the model's.

    Minor releases count; () also where either version is unknown.
    """
    if not is_newer(written_by, version):
        return ()
    sentence = (
        f"TensorFlow {written_by} wrote the model, and {server} has {version}: "
        "it fails to load if it uses an op that is newer"
    )
    return (sentence,)


def is_newer(version: str, other: str) -> bool:
    """Say whether a version's minor release is later than another's; False where one is unknown."""
    one, two = _minor(version), _minor(other)
    return one is not None and two is not None and one > two


def _minor(version: str) -> tuple[int, int] | None:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        return None
    return int(major), int(minor)
