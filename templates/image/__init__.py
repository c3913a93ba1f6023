"""The container image for Vertex AI that `cloudserve image` writes."""
