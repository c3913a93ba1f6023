"""The object store itself: buckets, objects and uploads, without a protocol."""
