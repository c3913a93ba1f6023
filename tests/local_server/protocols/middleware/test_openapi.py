"""The OpenAPI document of a running server: true of what it answers."""
