"""Templates of the Vertex AI container that `cloudserve image` writes."""
