"""Batch predictions as jobs of a platform; single predictions are in `cloudserve.client`."""
