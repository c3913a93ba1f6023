"""Offline Google: OAuth token, AI Platform Prediction (ml v1)."""
