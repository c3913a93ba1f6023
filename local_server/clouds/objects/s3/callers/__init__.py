"""Who may send a request to S3: unsigned ones, permissions, forms of browsers. For `s3`."""
