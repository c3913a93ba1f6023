"""CloudWatch Logs: the store of events, filter patterns, and the API's operations.

The containers of endpoints and transform jobs write here, by `streams`.
"""
