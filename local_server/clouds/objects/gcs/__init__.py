"""Cloud Storage's JSON and XML APIs over the object store. Imports nothing from `s3`."""
