"""Batch prediction jobs."""
