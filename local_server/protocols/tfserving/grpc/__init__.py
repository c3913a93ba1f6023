"""TensorFlow Serving's gRPC services: PredictionService and ModelService."""
