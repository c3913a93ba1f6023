"""TensorFlow lives here and nowhere else: SavedModels as callables.

`types` says what a loaded model is and imports neither TensorFlow nor numpy; `session` loads one.
`loading` restores the variables of a SavedModel in a session, `capi` calls TensorFlow.
"""
