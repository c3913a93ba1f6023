"""Cloud Monitoring: the metrics of Vertex AI's endpoints, and the v3 API to read them."""
