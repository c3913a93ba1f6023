"""ONNX models behind the interface of `runtime.types`, by onnxruntime (the extra `onnx`).

`session` makes the library's session, `errors` reads its error texts, `strings` converts texts, and
`model` is the LoadedModel. Imported by `runtime.model_files`.
"""
