"""S3 as a `BlobStore`. Imports nothing of SageMaker."""
