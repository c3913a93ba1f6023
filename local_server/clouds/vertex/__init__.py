"""Offline Vertex AI (aiplatform v1): models, endpoints, predictions, batch jobs, operations."""
