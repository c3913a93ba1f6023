"""Observability of a server: Prometheus metrics and a log of its requests.

`instruments` count and `exposition` prints them; `serving_metrics` are TensorFlow Serving's, fed by
the observers of the data plane, the batches and the loads. `request_log` keeps `PredictionLog`s in
TFRecord files. The data plane only calls the observers it was given. TensorFlow is imported only by
the messages of the request log.
"""
