"""A directory of this machine, or of a mounted share, in the place of a bucket: `file://`."""
