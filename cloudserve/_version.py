"""The version; setup.cfg and `cloudserve --version` read it here."""

__version__ = "0.1.0"
