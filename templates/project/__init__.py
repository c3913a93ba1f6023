"""The project scaffold that `cloudserve init` writes."""
