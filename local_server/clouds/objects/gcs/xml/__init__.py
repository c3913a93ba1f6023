"""Cloud Storage's XML API: objects, sessions, buckets, listings, errors. For `gcs`."""
