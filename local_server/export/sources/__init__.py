"""What an export is made from: files, SavedModels, graphs with their checkpoints, functions.

`export` imports this package; nothing else does.
"""
