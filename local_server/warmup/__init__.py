"""Warm-up: requests that run on a version before it becomes AVAILABLE.

`replay` runs the records stored with a model; `loader` wraps a loader so that it does so after each
load. TensorFlow is imported only by the records' messages, and only if there are records.
"""

from .loader import measured, warmed
from .replay import WARMUP_FILE, WarmupObserver

__all__ = ["WARMUP_FILE", "WarmupObserver", "measured", "warmed"]
