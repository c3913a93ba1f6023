"""One run of a model from the command line (`cloudserve run`): inputs, the run, files of outputs.

`entry` imports this package; nothing else does.
"""
