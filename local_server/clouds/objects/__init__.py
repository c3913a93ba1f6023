"""The offline object store and its two faces, S3 and GCS."""
