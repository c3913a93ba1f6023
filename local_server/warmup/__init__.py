"""Warm-up: requests that a version answers before it is AVAILABLE, so that no client waits for it.

`replay` runs the records that lie beside a model; `loader` has a loader do it after each load.
TensorFlow is imported by the records' messages alone, where there are records.
"""

from .loader import measured, warmed
from .replay import WARMUP_FILE, WarmupObserver

__all__ = ["WARMUP_FILE", "WarmupObserver", "measured", "warmed"]
