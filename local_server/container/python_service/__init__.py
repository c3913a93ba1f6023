"""The container's Python service: the user's `inference.py` in separate processes."""
