"""Renderers of the commands in `commands/models`: overviews, checks, predictions, golden files."""
