"""The container's nginx script: conversions of a container without user code."""
