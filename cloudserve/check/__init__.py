"""The check of a SavedModel's files: what a server or a platform will not do with them.

A rule is a function from a `Subject` to findings, in the module of its concern. No rule imports
TensorFlow or asks a platform. The command line and the API may import this package.
"""
