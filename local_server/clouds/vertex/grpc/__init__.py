"""Vertex AI over gRPC: each call becomes the REST request that it stands for."""
