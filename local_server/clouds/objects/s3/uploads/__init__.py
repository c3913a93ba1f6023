"""Bodies of uploads to S3 and their checksums, multipart uploads. For `s3`."""
