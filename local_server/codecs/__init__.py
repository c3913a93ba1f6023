"""JSON to tensors and back, in TensorFlow Serving's row and column form.

`json_reader` parses, `tensors` turns values into arrays, `rows` and `columns` are the two forms of
a predict request, `response` writes what came out. Each has a fast road for what is right, and a
slow one that finds TensorFlow Serving's exact words for what is wrong.
"""
