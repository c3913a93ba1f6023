"""What runs, and how it differs: overviews, drift, two models compared.

For `api.py`, the service and the CLI; nothing here changes anything.
"""
