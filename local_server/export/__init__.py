"""The export of trained models as SavedModels (`cloudserve export`).

TensorFlow and Keras come from `runtime.tensorflow`. `entry` imports this package; nothing else
does.
"""
