"""Plans for Vertex AI: checks of a target, and what a release has to do."""
