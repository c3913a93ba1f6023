"""Amazon S3's REST API over the object store. Imports nothing from `gcs`."""
