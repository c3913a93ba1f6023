"""JSON to tensors and back, in TensorFlow Serving's row and column form."""
