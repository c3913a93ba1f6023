"""The fields of a target with `provider: vertex`: read, checked, and read back."""
