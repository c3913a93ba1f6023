"""Actions on Vertex AI, carried out one after the other, each repeatable."""
