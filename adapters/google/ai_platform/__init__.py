"""AI Platform Prediction (ml v1, legacy) as a `Provider`."""
