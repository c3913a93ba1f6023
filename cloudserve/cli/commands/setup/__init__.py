"""Commands that write files for a user: project file, pipeline, image."""
