"""Checks of a SavedModel before it is deployed: ops, variables, signatures of two versions."""
