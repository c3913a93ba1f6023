"""TensorFlow Serving's nouns: Servable, Loader, Manager, version states.

Free of TensorFlow: the function that loads a model is handed in.
"""

from .manager import Loader, Manager, Servable
from .states import State, VersionState

__all__ = ["Loader", "Manager", "Servable", "State", "VersionState"]
