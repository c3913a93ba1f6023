"""TensorFlow Serving's types: Servable, Loader, Manager, Source, ServerCore, version states.

Free of TensorFlow: the function that loads a model is a parameter. The ServerCore takes a
configuration and has the Source watch base paths; the Source reports the aspired versions, and the
Lifecycle makes the Manager load and unload them. Requests use only the Manager.
"""

from .core import ServerCore
from .lifecycle import Lifecycle, Retry
from .manager import Loader, Manager, Servable, Version
from .source import FileSystemSource
from .states import State, VersionState

__all__ = [
    "FileSystemSource",
    "Lifecycle",
    "Loader",
    "Manager",
    "Retry",
    "Servable",
    "ServerCore",
    "State",
    "Version",
    "VersionState",
]
