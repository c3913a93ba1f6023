"""Download: files from a bucket, resumed, verified, and moved into place atomically."""
