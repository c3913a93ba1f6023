"""The signatures of an export: of tensors, of Examples and of images.

`export` and its `sources` import this package; nothing else does.
"""
