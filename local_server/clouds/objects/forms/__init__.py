"""HTML forms that upload a file: their encoding and signed policies, for `s3` and `gcs`."""
