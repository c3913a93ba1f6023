"""AI Platform Prediction (ml v1), offline."""
