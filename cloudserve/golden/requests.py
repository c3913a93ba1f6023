"""Files of requests: a JSON object on each line, or a golden file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudserve.release.canary.probe import read_requests as read_bodies


def read_requests(path: Path) -> list[dict[str, Any]]:
    """Return the requests of a file; raises UserError, naming the line, for another file."""
    return [json.loads(body) for body in read_bodies(path)]
