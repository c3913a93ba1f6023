"""What the containers of a model, or of its jobs, printed: read from the platform's log service.

For `api.py` and the CLI; adapters implement `LoggingProvider`.
"""
