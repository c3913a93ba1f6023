"""Uploads by the JSON API: media, multipart and resumable ones. For `gcs`, and for `gcs.xml`."""
