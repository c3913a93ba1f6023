"""Writes of several parts at once, which pause a protocol as other writes do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

_WRITELINES_PAUSES = not (
    (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)
)
"""Whether asyncio's own `writelines` pauses the protocol at the high-water mark.

There it did not (CVE-2024-12254): a client that reads nothing would fill the memory. uvloop's does.
"""


def write_parts(transport: asyncio.WriteTransport, parts: Sequence[bytes | memoryview]) -> None:
    """Write parts one after the other, without joining them where that is safe."""
    if _WRITELINES_PAUSES:
        transport.writelines(parts)
    else:
        transport.write(b"".join(parts))
