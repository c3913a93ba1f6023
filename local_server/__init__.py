"""The model server and the offline clouds.

May import: `cloudserve.*` (the core) and itself, relatively. Never `cloudserve.adapters`.
TensorFlow is imported only in `runtime`. A request passes transport -> protocols -> codecs ->
inference -> models (a counted handle on a version) -> runtime, and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudserve.local.servers import LocalServer

    from . import entry

    _entry: LocalServer = entry
