"""Steps before and after a model, in its graph and in numpy: each export compares the two.

`export` imports this package; nothing else does.
"""
