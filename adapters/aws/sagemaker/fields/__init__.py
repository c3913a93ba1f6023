"""The fields of a target: read, checked, written into requests, and read back."""
