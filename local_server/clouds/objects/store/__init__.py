"""The object store: buckets, objects and uploads, independent of any protocol."""
