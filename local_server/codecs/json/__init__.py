"""JSON as TensorFlow Serving reads and writes it: a fast path and an exact parser."""
