"""Google Cloud Storage as a `BlobStore`. Imports nothing of the prediction services."""
