"""Offline Google: OAuth tokens and AI Platform Prediction (ml v1)."""
