"""Predictions that are jobs: asynchronous requests and batch transform."""
