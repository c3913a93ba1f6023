"""A model's files on their way: from this machine into the bucket, and back out of it."""
