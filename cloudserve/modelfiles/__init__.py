"""Models of one file, TensorFlow Lite and ONNX, read without the libraries that run them.

    files.find_model_file(path)    the file at a path, or the one of a folder without a SavedModel
    model.read_model_file(file)    its signatures and ops

`tflite` reads FlatBuffers (`flatbuffer`, `flexbuffer`), `onnx` protobuf (`wire`). All positions and
sizes in a file are checked before they are used. Any fault is raised as ModelError. The managed
platforms serve SavedModels only, so a release refuses such files.
"""
