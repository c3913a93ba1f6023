"""Templates of the project file that `cloudserve init` writes."""
