"""A SavedModel on disk, read without TensorFlow: proto, reader, signature, tree."""
