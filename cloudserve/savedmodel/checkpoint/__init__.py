"""Checkpoint index files: the tensors that `variables.index` lists, read without TensorFlow."""
