"""JSON to tensors and back, in TensorFlow Serving's row and column formats.

`json` parses and prints JSON, `tensors` turns values into arrays, `row_format` and `column_format`
are the two formats of a predict request, `response` encodes outputs, `large` decodes large requests
in pieces. Each has a fast path for valid requests, and an exact parser that finds TensorFlow
Serving's exact error text for invalid ones.
"""
