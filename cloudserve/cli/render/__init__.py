"""Renderers: library results as tables for people and JSON for programs."""
