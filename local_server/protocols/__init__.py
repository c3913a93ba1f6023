"""Thin translators from wire formats onto the data plane (inference)."""
