"""Cloud Storage's JSON and XML APIs over the object store. Imports nothing of `s3`."""
