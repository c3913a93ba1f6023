"""The container's Python service: runs the user's `inference.py` in its own processes."""
