"""What a server tells about itself: metrics for Prometheus, and a log of its requests.

`instruments` count and `exposition` writes them; `serving_metrics` are TensorFlow Serving's, filled
by the observers of the data plane, the batches and the loads; `metrics_face` serves them.
`request_log` keeps `PredictionLog`s in TFRecord files. The data plane knows none of it: it calls
the observers it was given. TensorFlow is imported by the request log's messages alone.
"""
