"""The repair of SavedModels that TensorFlow Serving cannot answer with (`cloudserve repair`).

`entry` imports this package; nothing else does.
"""
