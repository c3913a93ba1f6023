"""AWS: credentials, storage (s3://), SageMaker endpoints."""
