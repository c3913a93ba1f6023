"""The options of a recording: which requests of a server are written to golden files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.golden.redaction import Rule, parse_rules

KEY = "CLOUDSERVE_RECORD_KEY"
"""The variable with the key of hashes. Without it, the key is random, and lost at the end."""
MOST = 1000
ENDING = ".golden.jsonl"


@dataclass(frozen=True, slots=True)
class Recording:
    """The options of a recording."""

    path: Path
    is_folder: bool = False
    """Whether the path is a folder with a file for each model, instead of the file of one model."""
    rate: float = 1.0
    """The fraction of requests, chosen at random."""
    most: int = MOST
    """The most examples of a signature of a version, over all runs."""
    rules: tuple[Rule, ...] = ()
    errors: bool = False
    """Whether requests that the model refuses are recorded too."""
    key: bytes = field(default=b"", repr=False)
    """The key of hashes; a random one if empty."""


def recording(
    path: str | None,
    *,
    rate: float = 1.0,
    most: int = MOST,
    redact: tuple[str, ...] = (),
    errors: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Recording | None:
    """Return the recording that options describe, None without a path.

    An existing folder, or a path that ends with a slash, has a file for each model. Raises
    UserError for an invalid rule of redaction.
    """
    rules = parse_rules(redact)
    if not path:
        return None
    is_folder = path.endswith(os.sep) or Path(path).is_dir()
    key = (os.environ if environ is None else environ).get(KEY, "")
    return Recording(Path(path), is_folder, rate, most, rules, errors, os.fsencode(key))
