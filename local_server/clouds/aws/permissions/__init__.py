"""Permissions of the offline AWS: IAM policies and what requests need. For `aws` and `emulator`."""
