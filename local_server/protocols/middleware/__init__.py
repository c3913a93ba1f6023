"""Applications in front of another application: tokens, health, metrics, foreign origins."""
