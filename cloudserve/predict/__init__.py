"""Clients of deployed models, the same for every target."""

from cloudserve.predict.client import Client

__all__ = ["Client"]
