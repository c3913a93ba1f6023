"""Vertex AI (aiplatform v1) as a Provider: models with versions, endpoints with shares of traffic.

`provider` is the way in (the entry point `vertex`); `planner` decides, `performer` acts, `api`
speaks, and `records`, `images` and `machines` know the platform's rules. Nobody but the entry point
imports this room.
"""
