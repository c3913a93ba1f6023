"""The model server and the offline clouds.

May import: `cloudserve.*` (the core) and itself, relatively. Never `cloudserve.adapters`.
TensorFlow is imported in `runtime` alone. A request's way: transport -> protocols -> codecs ->
inference -> models (a counted handle on a version) -> runtime, and back.
"""
