"""Vertex AI's online predictions, and its contract for containers."""
