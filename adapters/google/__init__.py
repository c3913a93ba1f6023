"""Google: credentials, storage (gs://), AI Platform Prediction (ml v1, legacy)."""
