"""Vertex AI (aiplatform v1), offline: models, endpoints, predictions, batch jobs, operations."""
