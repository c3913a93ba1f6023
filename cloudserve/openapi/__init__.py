"""OpenAPI 3.1 documents of TensorFlow Serving's REST API, with a model's own signatures.

Made from the files of models alone. For `cloudserve inspect --openapi` and the model server.
"""
