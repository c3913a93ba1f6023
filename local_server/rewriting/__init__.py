"""Changes to the MetaGraph of a SavedModel, and the copy of its files that has them.

`export` and `repair` import this package.
"""
