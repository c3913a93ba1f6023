"""Upload: files to a bucket, in one request or in parts, resumed and verified."""
