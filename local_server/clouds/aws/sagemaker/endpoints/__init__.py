"""Endpoints, their configurations, and updates that shift traffic between deployments."""
