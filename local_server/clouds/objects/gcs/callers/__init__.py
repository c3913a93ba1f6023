"""Who may send a request to Cloud Storage: signed URLs, forms, permissions, policies. For `gcs`."""
