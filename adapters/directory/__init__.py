"""Local directories and mounted shares as buckets: `file://`."""
