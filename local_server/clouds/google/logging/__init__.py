"""Cloud Logging: the store of entries, its query language, and the API's methods.

The containers of Vertex AI's deployed models write here.
"""
