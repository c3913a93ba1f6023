"""The container's nginx script: request conversion in a container without user code."""
