"""Vertex AI (aiplatform v1) as a Provider: models with versions, endpoints with shares of traffic.

`provider` is the entry point `vertex`; `planning` makes plans, `actions` performs them, `api` makes
the calls, and `records` and `fields` know the platform's rules. Only the entry point
imports this package.
"""
