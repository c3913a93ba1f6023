"""Files of requests: a JSON object on each line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from cloudserve.release.canary.probe import read_requests as read_bodies


def read_requests(path: Path) -> list[dict[str, Any]]:
    """Return the requests of a file; raises UserError, naming the line, for another file."""
    return [msgspec.json.decode(body) for body in read_bodies(path)]
