"""The client of a deployed model, whatever target serves it. Anyone may import it."""

from cloudserve.predict.client import Client

__all__ = ["Client"]
