"""TensorFlow Lite models behind the interface of `runtime.types`.

`library` opens the interpreter's library, `runner` is one interpreter, `pool` lends several to the
threads of requests, `model` is the LoadedModel. Imported by `runtime.model_files`.
"""
