"""TensorFlow Serving's nouns: Servable, Loader, Manager, Source, ServerCore, version states.

Free of TensorFlow: the function that loads a model is handed in. A configuration goes to the
ServerCore, which has the Source watch base paths; the Source says which versions are aspired, and
the Lifecycle brings the Manager there. Requests know the Manager alone.
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
